//! What the numbers of a map are: by the intent of the file, else by the `stat-` of its BIDS name.

use cli::Input;

/// The word for the colour bar; `None` where nothing says it.
pub(super) fn quantity(input: &Input, intent: Option<i32>) -> Option<String> {
    let by_intent = intent.and_then(|code| {
        // NIfTI-1 header definition, NIFTI_INTENT codes.
        Some(match code {
            2 => "r (correlation)",
            3 => "t",
            4 => "F",
            5 => "z",
            6 => "chi squared",
            22 => "p",
            23 => "-ln p",
            24 => "-log10 p",
            1001 => "estimate",
            _ => return None,
        })
    });
    by_intent.map(str::to_owned).or_else(|| {
        let name = input.path()?.file_name()?.to_str()?;
        let stat = name.split('_').find_map(|part| part.strip_prefix("stat-"))?;
        let stat = stat.split('.').next().unwrap_or(stat);
        Some(match stat {
            "effect" => "effect (beta)".to_owned(),
            "rsquared" => "R2".to_owned(),
            "residualsd" => "residual sd".to_owned(),
            other => other.to_owned(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_intent_comes_before_the_name() {
        let of = |name: &str, intent| quantity(&name.parse().unwrap(), intent);
        assert_eq!(of("d/contrast-a_stat-z_statmap.nii.gz", Some(3)).unwrap(), "t");
        assert_eq!(of("d/contrast-a_stat-z_statmap.nii.gz", Some(0)).unwrap(), "z");
        assert_eq!(of("d/contrast-a_stat-effect_statmap.nii.gz", None).unwrap(), "effect (beta)");
        assert_eq!(of("stat-t.gii", None).unwrap(), "t");
        assert_eq!((of("a.nii", Some(0)), of("-", None)), (None, None));
    }
}
