//! The names of the comparisons of two RDMs.

use std::fmt;
use std::str::FromStr;

use statistics::Correlation;

/// How two RDMs are compared: a coefficient over their pairs of stimuli.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// [`statistics::pearson`]
    Pearson,
    /// [`statistics::spearman`]
    Spearman,
    /// [`statistics::kendall_tau_b`]; the field writes plain `kendall`.
    Kendall,
    /// [`statistics::kendall_tau_a`]
    TauA,
    /// [`statistics::rho_a`]
    RhoA,
    /// [`statistics::cosine`]
    Cosine,
    /// Pearson after whitening: [`Comparison::CosineCov`] of RDMs whose mean was taken off.
    CorrCov,
    /// Cosine after whitening by the covariance that noise gives the dissimilarities ([`crate::StimulusCovariance`]).
    CosineCov,
}

impl Comparison {
    /// All of them, in the order of the help text.
    pub const ALL: [Comparison; 8] = [
        Comparison::Pearson,
        Comparison::Spearman,
        Comparison::Kendall,
        Comparison::TauA,
        Comparison::RhoA,
        Comparison::Cosine,
        Comparison::CorrCov,
        Comparison::CosineCov,
    ];

    /// Its name on the command line and in tables.
    pub fn as_str(self) -> &'static str {
        match (self, self.correlation()) {
            (Comparison::CorrCov, _) => "corr_cov",
            (_, Some(plain)) => plain.as_str(),
            (_, None) => "cosine_cov",
        }
    }

    /// The correlation of two vectors that it is; none for the whitened ones, which also ask which pairs the values
    /// are.
    pub fn correlation(self) -> Option<Correlation> {
        match self {
            Comparison::Pearson => Some(Correlation::Pearson),
            Comparison::Spearman => Some(Correlation::Spearman),
            Comparison::Kendall => Some(Correlation::Kendall),
            Comparison::TauA => Some(Correlation::TauA),
            Comparison::RhoA => Some(Correlation::RhoA),
            Comparison::Cosine => Some(Correlation::Cosine),
            Comparison::CorrCov | Comparison::CosineCov => None,
        }
    }

    /// Whether the dissimilarities are whitened first.
    pub fn is_whitened(self) -> bool {
        self.correlation().is_none()
    }

    /// Whether only the order of the dissimilarities counts.
    pub fn ranks(self) -> bool {
        matches!(self, Comparison::Spearman | Comparison::Kendall | Comparison::TauA | Comparison::RhoA)
    }

    /// Whether the mean, or the middle rank, is taken off first, so that a constant RDM has no value.
    pub fn centres(self) -> bool {
        !matches!(self, Comparison::Cosine | Comparison::CosineCov)
    }
}

impl From<Correlation> for Comparison {
    fn from(plain: Correlation) -> Comparison {
        match plain {
            Correlation::Pearson => Comparison::Pearson,
            Correlation::Spearman => Comparison::Spearman,
            Correlation::Kendall => Comparison::Kendall,
            Correlation::TauA => Comparison::TauA,
            Correlation::RhoA => Comparison::RhoA,
            Correlation::Cosine => Comparison::Cosine,
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Comparison {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Comparison::ALL.into_iter().find(|c| c.as_str() == name).ok_or_else(|| {
            let names: Vec<&str> = Comparison::ALL.iter().map(|c| c.as_str()).collect();
            format!("no comparison \"{name}\"; there are {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_the_plain_six_are_those_of_statistics() {
        for how in Comparison::ALL {
            assert_eq!(how.as_str().parse(), Ok(how));
            assert_eq!(how.correlation().map(Comparison::from), how.correlation().map(|_| how));
        }
        assert_eq!(Comparison::ALL.iter().filter(|how| how.is_whitened()).count(), 2);
        assert!("corrcov".parse::<Comparison>().unwrap_err().contains("corr_cov"));
    }
}
