//! Many small regions against the same models: the RDM of each region is made, compared, and forgotten.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use statistics::moments::dot;
use statistics::rounding::is_constant;
use statistics::{average_ranks, bounded, mean};

use crate::{Compared, Comparison, Distance, Element, Rdm, RdmError, compare, distances};

mod whitened;

pub use whitened::{Residuals, searchlight_whitened};

/// Model RDMs, prepared once for any number of comparisons.
pub struct Models {
    rdms: Vec<Rdm>,
    /// Vectors whose product with a prepared RDM is the similarity; none for the two that count pairs of pairs, and for
    /// a model that misses a pair.
    prepared: Vec<Option<Vec<f64>>>,
    how: Comparison,
}

impl Models {
    /// Models over the same stimuli, in the same order.
    pub fn new(rdms: Vec<Rdm>, how: Comparison) -> Models {
        let prepared = rdms.iter().map(|rdm| prepare(rdm, how)).collect();
        Models { rdms, prepared, how }
    }

    /// The similarity of every model to an RDM: [`compare`], with the models' part of the work done before.
    pub fn compare(&self, rdm: &Rdm) -> Result<Vec<Compared>, RdmError> {
        let own = prepare(rdm, self.how);
        let one = |(model, prepared): (&Rdm, &Option<Vec<f64>>)| match (prepared, &own) {
            (Some(prepared), Some(own)) if prepared.len() == own.len() => {
                let value = bounded(dot(prepared, own));
                Ok(Compared { value, n_pairs: own.len(), n_nan: 0 })
            }
            _ => compare(model, rdm, self.how),
        };
        self.rdms.iter().zip(&self.prepared).map(one).collect()
    }
}

fn prepare(rdm: &Rdm, how: Comparison) -> Option<Vec<f64>> {
    let values = rdm.values();
    if rdm.n_nan() > 0 || is_constant(values) {
        // compare() has the definitions at these edges.
        return None;
    }
    let centred = |mut values: Vec<f64>| -> Vec<f64> {
        let centre = mean(&values);
        values.iter_mut().for_each(|v| *v -= centre);
        values
    };
    let own_length = |vector: &[f64]| dot(vector, vector).sqrt();
    let n = values.len() as f64;
    let (mut vector, length) = match how {
        Comparison::Cosine => (values.to_vec(), own_length(values)),
        Comparison::Pearson => {
            let vector = centred(values.to_vec());
            let length = own_length(&vector);
            (vector, length)
        }
        Comparison::Spearman => {
            let vector = centred(average_ranks(values));
            let length = own_length(&vector);
            (vector, length)
        }
        Comparison::RhoA => (centred(average_ranks(values)), ((n * n * n - n) / 12.0).sqrt()),
        // Whatever is no product of two vectors is compare()'s alone.
        _ => return None,
    };
    // Squares that leave the range of f64.
    if !(1e-120..1e120).contains(&length) {
        return None;
    }
    vector.iter_mut().for_each(|v| *v /= length);
    Some(vector)
}

/// Scores of every region: its RDM by `distance`, against all models; one entry per model in the order of the regions.
///
/// `patterns` is stimuli x voxels, and a region lists columns of it. Regions run side by side, each by itself, so that
/// the result does not depend on threads; memory is one RDM per thread. A pattern without distances (constant over the
/// region) misses its pairs, which the score leaves out and counts ([`Compared::n_nan`]).
pub fn searchlight<T: Element>(
    patterns: ArrayView2<T>,
    regions: &[Vec<usize>],
    distance: Distance,
    models: &Models,
) -> Result<Vec<Vec<Compared>>, RdmError> {
    regions
        .par_iter()
        .map(|columns| {
            let mut values = Vec::with_capacity(patterns.nrows() * columns.len());
            for row in patterns.rows() {
                values.extend(columns.iter().map(|&column| row[column]));
            }
            // As many values as the shape says, by the loop above.
            let region = Array2::from_shape_vec((patterns.nrows(), columns.len()), values).unwrap_or_default();
            models.compare(&distances(region.view(), distance)?.rdm)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use statistics::Draws;

    #[test]
    fn prepared_comparisons_are_plain_ones() {
        let mut draws = Draws::new(2);
        let mut rdm = |levels: usize| {
            let values = (0..45).map(|_| 0.1 + draws.below(levels) as f64 / levels as f64).collect();
            Rdm::from_condensed(values, None).unwrap()
        };
        let mut models = vec![rdm(1000), rdm(3), rdm(1)];
        let mut holed = rdm(1000).into_values();
        holed[7] = f64::NAN;
        models.push(Rdm::from_condensed(holed, None).unwrap());
        let brains = [rdm(1000), rdm(2), models[3].clone(), models[2].clone()];
        for how in Comparison::ALL {
            let prepared = Models::new(models.clone(), how);
            for brain in &brains {
                for (model, found) in models.iter().zip(prepared.compare(brain).unwrap()) {
                    let plain = compare(model, brain, how).unwrap();
                    let same =
                        (plain.value.is_nan() && found.value.is_nan()) || (plain.value - found.value).abs() < 1e-14;
                    assert!(same && (found.n_pairs, found.n_nan) == (plain.n_pairs, plain.n_nan), "{how}");
                }
            }
        }
    }

    #[test]
    fn regions_are_rdms_of_their_columns() {
        let mut draws = Draws::new(3);
        let patterns = Array2::from_shape_simple_fn((8, 30), || draws.normal_pair()[0] as f32);
        let models = vec![distances(patterns.view(), Distance::Correlation).unwrap().rdm];
        let regions = vec![(0..30).collect(), vec![3, 4, 5, 9], vec![29]];
        let models = Models::new(models, Comparison::Spearman);
        let found = searchlight(patterns.view(), &regions, Distance::Correlation, &models).unwrap();
        assert_eq!(found[0][0].value, 1.0);
        let four = patterns.select(ndarray::Axis(1), &[3, 4, 5, 9]);
        let alone = models.compare(&distances(four.view(), Distance::Correlation).unwrap().rdm).unwrap();
        assert_eq!(found[1], alone);
        // One voxel: every pattern is constant.
        assert!(found[2][0].value.is_nan() && found[2][0].n_pairs == 0);
    }
}
