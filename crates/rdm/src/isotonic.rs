//! Monotone regression: the rising sequence nearest to given values.

/// Places of values in rising order, in blocks of equal ones: what monotone regression needs to know of the predictor.
pub(crate) struct Blocks {
    order: Vec<usize>,
    /// First place of each block, and behind them the number of values.
    starts: Vec<usize>,
}

impl Blocks {
    /// Blocks of equal `predictor` values (which must not be NaN).
    pub(crate) fn of(predictor: &[f64]) -> Blocks {
        let mut order: Vec<usize> = (0..predictor.len()).collect();
        order.sort_by(|&a, &b| predictor[a].total_cmp(&predictor[b]));
        let mut starts: Vec<usize> =
            (0..order.len()).filter(|&k| k == 0 || predictor[order[k]] != predictor[order[k - 1]]).collect();
        starts.push(order.len());
        Blocks { order, starts }
    }

    /// Least squares fit to `values` that never falls as the predictor rises; equal predictors have equal fits
    /// (Kruskal's secondary approach, and scikit-learn's).
    ///
    /// Pool adjacent violators: Ayer and others (1955); Kruskal (1964).
    pub(crate) fn fit(&self, values: &[f64]) -> Vec<f64> {
        // Mean, weight and first place of each pool.
        let mut pools: Vec<(f64, f64, usize)> = Vec::new();
        for block in self.starts.windows(2) {
            let members = &self.order[block[0]..block[1]];
            let mut weight = members.len() as f64;
            let mut mean = members.iter().map(|&i| values[i]).sum::<f64>() / weight;
            let mut first = block[0];
            while let Some(&(below, others, start)) = pools.last() {
                if below < mean {
                    break;
                }
                mean = (below * others + mean * weight) / (others + weight);
                weight += others;
                first = start;
                pools.pop();
            }
            pools.push((mean, weight, first));
        }
        let mut fitted = vec![0.0; values.len()];
        for (pool, &(mean, _, first)) in pools.iter().enumerate() {
            let end = pools.get(pool + 1).map_or(self.order.len(), |next| next.2);
            for &i in &self.order[first..end] {
                fitted[i] = mean;
            }
        }
        fitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violators_are_pooled_and_ties_share() {
        // Rising predictor: 1, 3, 2 becomes 1, 2.5, 2.5.
        assert_eq!(Blocks::of(&[0.1, 0.2, 0.3]).fit(&[1.0, 3.0, 2.0]), [1.0, 2.5, 2.5]);
        // Another order of the predictor: values by rising predictor are 2, 1, 3.
        assert_eq!(Blocks::of(&[0.2, 0.3, 0.1]).fit(&[1.0, 3.0, 2.0]), [1.5, 3.0, 1.5]);
        // Tied predictors have one fit: (1 + 4) / 2, then 2 pools with them: (5 + 2) / 3.
        let fit = Blocks::of(&[0.1, 0.1, 0.2]).fit(&[1.0, 4.0, 2.0]);
        assert!(fit.iter().all(|f| (f - 7.0 / 3.0).abs() < 1e-15), "{fit:?}");
        assert_eq!(Blocks::of(&[]).fit(&[]), [0.0; 0]);
    }
}
