use crate::decomposed::Decomposed;
use crate::{Design, GlmError, Role};

/// Squared correlation with the other columns from which on a condition is said to be nearly one of them: its variance
/// is then ten times what it would be alone.
const NEARLY: f64 = 0.9;
/// Columns that are named as those which a condition depends on.
const MOST_NAMED: usize = 4;

/// Columns of a design that depend on each other.
#[derive(Debug, Clone, PartialEq)]
pub enum Collinear {
    /// 0 throughout: no event of it is seen in the run.
    Zero(String),
    /// Exactly: none of them can be told from the others.
    Exactly(Vec<String>),
    /// A condition that the other columns nearly explain.
    Nearly {
        /// The column.
        column: String,
        /// Its squared correlation with the others (about 0, not about the mean).
        r2: f64,
        /// The others that explain it most.
        others: Vec<String>,
    },
}

/// What of a design depends on what, by the names of its columns.
pub fn collinear(design: &Design) -> Result<Vec<Collinear>, GlmError> {
    let (n, p) = design.matrix.dim();
    if n <= p {
        return Err(GlmError::NoFreedom { n_volumes: n, n_columns: p });
    }
    let decomposed = Decomposed::new(design.matrix.view())?;
    let is_zero = |k: usize| design.matrix.column(k).iter().all(|v| *v == 0.0);
    let mut found: Vec<Collinear> =
        (0..p).filter(|&k| is_zero(k)).map(|k| Collinear::Zero(design.names[k].clone())).collect();
    let in_null = |k: usize| !is_zero(k) && decomposed.null.row(k).iter().map(|v| v * v).sum::<f64>() > 1e-12;
    let exactly: Vec<String> = (0..p).filter(|&k| in_null(k)).map(|k| design.names[k].clone()).collect();
    if !exactly.is_empty() {
        found.push(Collinear::Exactly(exactly.clone()));
    }
    // The inverse of the products of columns of length 1, as far as there is one.
    let rank = decomposed.rank();
    let inverse = |a: usize, b: usize| -> f64 {
        (0..rank).map(|k| decomposed.right[(a, k)] * decomposed.right[(b, k)] / decomposed.values[k].powi(2)).sum()
    };
    for k in (0..p).filter(|&k| design.roles[k] == Role::Condition && !is_zero(k)) {
        let own = inverse(k, k);
        let r2 = 1.0 - 1.0 / own;
        if r2 > NEARLY && !exactly.contains(&design.names[k]) {
            let mut others: Vec<(f64, usize)> =
                (0..p).filter(|&j| j != k).map(|j| ((inverse(k, j) / own).abs(), j)).collect();
            others.sort_by(|a, b| b.0.total_cmp(&a.0));
            let others = others.iter().take(MOST_NAMED).filter(|(weight, _)| *weight > 0.1);
            let others = others.map(|(_, j)| design.names[*j].clone()).collect();
            found.push(Collinear::Nearly { column: design.names[k].clone(), r2, others });
        }
    }
    Ok(found)
}

/// The columns that a contrast would need and that the design does not tell apart, for a message.
pub(crate) fn named(design: &Design, decomposed: &Decomposed) -> String {
    let rows = decomposed.null.rows().into_iter().zip(&design.names);
    let names: Vec<&str> =
        rows.filter(|(row, _)| row.iter().any(|v| v.abs() > 1e-6)).map(|(_, name)| name.as_str()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    fn design(columns: &[(&str, Vec<f64>)]) -> Design {
        let n = columns[0].1.len();
        Design {
            names: columns.iter().map(|(name, _)| (*name).to_owned()).collect(),
            roles: vec![Role::Condition; columns.len()],
            matrix: Array2::from_shape_fn((n, columns.len()), |(t, k)| columns[k].1[t]),
            conditions: Vec::new(),
        }
    }

    #[test]
    fn columns_are_named() {
        let a = vec![1.0, 0.0, 2.0, 5.0, 1.0, 0.5];
        let twice: Vec<f64> = a.iter().map(|v| 2.0 * v).collect();
        let other = vec![0.0, 1.0, 0.0, -1.0, 3.0, 0.0];
        let zero = vec![0.0; 6];
        let near: Vec<f64> = other.iter().zip(&a).map(|(o, a)| o + 0.01 * a).collect();
        let found = collinear(&design(&[("a", a.clone()), ("b", twice), ("c", other.clone()), ("d", zero)])).unwrap();
        assert_eq!(found, [Collinear::Zero("d".into()), Collinear::Exactly(vec!["a".into(), "b".into()])]);
        let found = collinear(&design(&[("x", other.clone()), ("y", near)])).unwrap();
        let [Collinear::Nearly { column, r2, others }, _] = found.as_slice() else { panic!("{found:?}") };
        assert!(column == "x" && *r2 > 0.99 && others == &["y"]);
        assert_eq!(collinear(&design(&[("a", a), ("c", other)])).unwrap(), []);
    }
}
