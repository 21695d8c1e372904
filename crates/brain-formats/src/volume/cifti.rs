//! CIFTI-2 files: NIfTI-2 headers in front of matrices that are no volumes.

/// Intent codes that the NIfTI registry keeps for CIFTI.
const INTENTS: std::ops::RangeInclusive<i32> = 3000..=3099;

/// Header extension that holds the XML of a CIFTI file.
const EXTENSION: i32 = 32;

/// What a CIFTI file is called (CIFTI-2 specification, 2014, "File types"): by its intent code, else (nibabel writes
/// 3000, "unknown") by the kinds of its axes in the XML of its extension.
pub(super) fn kind(intent: i32, extensions: &[u8]) -> String {
    let has = |axis: &str| extensions.windows(axis.len()).any(|window| window == axis.as_bytes());
    let named = match intent {
        3001 => "dense connectivity, .dconn.nii",
        3002 => "dense series, .dtseries.nii",
        3003 => "parcellated connectivity, .pconn.nii",
        3004 => "parcellated series, .ptseries.nii",
        3006 => "dense scalar, .dscalar.nii",
        3007 => "dense label, .dlabel.nii",
        3008 => "parcellated scalar, .pscalar.nii",
        3009 => "parcellated dense connectivity, .pdconn.nii",
        3010 => "dense parcellated connectivity, .dpconn.nii",
        3011 => "parcellated connectivity series, .pconnseries.nii",
        3012 => "parcellated connectivity scalar, .pconnscalar.nii",
        _ => {
            let dense = has("CIFTI_INDEX_TYPE_BRAIN_MODELS");
            match ["SERIES", "SCALARS", "LABELS"].map(|rows| has(&format!("CIFTI_INDEX_TYPE_{rows}"))) {
                [true, _, _] if dense => "dense series, .dtseries.nii",
                [true, _, _] => "parcellated series, .ptseries.nii",
                [_, true, _] if dense => "dense scalar, .dscalar.nii",
                [_, true, _] => "parcellated scalar, .pscalar.nii",
                [_, _, true] => "dense label, .dlabel.nii",
                _ if dense => "dense connectivity, .dconn.nii",
                _ => return format!("intent code {intent}"),
            }
        }
    };
    named.into()
}

/// Whether an intent code says that a file is CIFTI.
pub(super) fn by_intent(intent: i32) -> bool {
    INTENTS.contains(&intent)
}

/// Whether the extensions between the header and the voxels have the XML of CIFTI among them: nibabel may write any
/// intent beside it. `bytes` starts at the four flag bytes.
pub(super) fn in_extensions(bytes: &[u8], big_endian: bool) -> bool {
    extension(bytes, big_endian).is_some()
}

/// What the CIFTI extension states as its length, and its content as far as the bytes go. `bytes` starts at the four
/// flag bytes.
pub(crate) fn extension(bytes: &[u8], big_endian: bool) -> Option<(usize, &[u8])> {
    let (flags, mut rest) = bytes.split_at_checked(4)?;
    if flags[0] == 0 {
        return None;
    }
    let number = |bytes: &[u8], at: usize| {
        let field: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        Some(if big_endian { i32::from_be_bytes(field) } else { i32::from_le_bytes(field) })
    };
    while let (Some(size), Some(code)) = (number(rest, 0), number(rest, 4)) {
        let size = usize::try_from(size).unwrap_or(0);
        if code == EXTENSION {
            return Some((size.saturating_sub(8), &rest[8..size.clamp(8, rest.len())]));
        }
        rest = rest.get(size..).filter(|_| size >= 8)?;
    }
    None
}
