//! Which dataset of an HDF5 file is meant, and how its numbers are to be taken: what stands behind the colon of
//! `betas.hdf5:/betas[/300,trials=last]`.

use super::Hdf5Error;

/// The axis of a dataset along which the trials lie, as h5py counts axes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrialAxis {
    /// (trials, Z, Y, X) or (trials, vertices): what MATLAB writes, and what NSD publishes.
    First,
    /// (X, Y, Z, trials) or (vertices, trials): what GLMsingle writes in Python.
    Last,
}

/// A dataset, and how to take it.
#[derive(Debug, Clone, PartialEq)]
pub struct Address {
    /// Its path in the file; `None` where the file holds one that can be meant.
    pub dataset: Option<String>,
    /// What its numbers are divided by: 300 for the betas of NSD.
    pub divisor: f64,
    /// Where its trials lie; `None` where nobody said.
    pub trials: Option<TrialAxis>,
}

impl Address {
    /// Reads `/group/name`, `/name[/300]`, `/name[trials=last]`, `/name[/300,trials=last]`; without a name `[/300]`.
    ///
    /// ```
    /// use brain_formats::hdf5::{Address, TrialAxis};
    /// let betas = Address::read("/betas[/300]").unwrap();
    /// assert_eq!((betas.dataset.as_deref(), betas.divisor, betas.trials), (Some("/betas"), 300.0, None));
    /// assert_eq!(Address::read("/betasmd[trials=last]").unwrap().trials, Some(TrialAxis::Last));
    /// assert!(Address::read("/betas[/0]").is_err());
    /// ```
    pub fn read(text: &str) -> Result<Address, Hdf5Error> {
        let mut address = Address { dataset: None, divisor: 1.0, trials: None };
        let inside = text.strip_suffix(']').and_then(|rest| rest.rsplit_once('['));
        // A name of HDF5 may hold brackets of its own.
        let inside = inside.filter(|(_, inside)| inside.starts_with('/') || inside.starts_with("trials"));
        let (name, settings) = inside.unwrap_or((text, ""));
        address.dataset = Some(name.trim()).filter(|name| !name.is_empty()).map(str::to_owned);
        let mut seen = [false; 2];
        for setting in settings.split(',').map(str::trim).filter(|setting| !setting.is_empty()) {
            let wrong = || Hdf5Error::Setting { setting: setting.to_owned() };
            let which = if let Some(number) = setting.strip_prefix('/') {
                let divisor: f64 = number.trim().parse().map_err(|_| wrong())?;
                address.divisor = Some(divisor).filter(|n| n.is_finite() && *n != 0.0).ok_or_else(wrong)?;
                0
            } else {
                address.trials = Some(match setting.strip_prefix("trials=") {
                    Some("first") => TrialAxis::First,
                    Some("last") => TrialAxis::Last,
                    _ => return Err(wrong()),
                });
                1
            };
            if std::mem::replace(&mut seen[which], true) {
                return Err(wrong());
            }
        }
        Ok(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_settings() {
        let read = |text: &str| Address::read(text).unwrap();
        let address =
            |dataset: Option<&str>, divisor, trials| Address { dataset: dataset.map(str::to_owned), divisor, trials };
        assert_eq!(read("/a/b"), address(Some("/a/b"), 1.0, None));
        assert_eq!(read("[/300]"), address(None, 300.0, None));
        assert_eq!(read("a[/2.5, trials=last]"), address(Some("a"), 2.5, Some(TrialAxis::Last)));
        assert_eq!(read("/x[trials=first,/300]"), address(Some("/x"), 300.0, Some(TrialAxis::First)));
        // A name with brackets is a name.
        assert_eq!(read("/run[1]"), address(Some("/run[1]"), 1.0, None));
        assert_eq!(read("/run[1][/300]"), address(Some("/run[1]"), 300.0, None));
    }

    #[test]
    fn settings_that_mean_nothing() {
        for text in ["/x[/]", "/x[/0]", "/x[/nan]", "/x[/inf]", "/x[/300,/2]", "/x[trials=2]", "/x[trials]", "/x[/3,4]"]
        {
            let message = Address::read(text).unwrap_err().to_string();
            assert!(message.contains("[/300]") && message.contains("trials=last"), "{text}: {message}");
        }
    }
}
