//! Reading some columns of every trial without all others: the runs of a contiguous dataset that hold them, and those
//! chunks of a chunked one, each unpacked once.
//!
//! HDF5 file format specification 3.0, IV.A.2.i (data layout) and IV.A.2.l (filter pipeline): shuffle puts the first
//! bytes of all numbers before their second bytes, deflate is a zlib stream; filters are undone in reverse order, and a
//! bit of a chunk's mask says which were left out.

use std::collections::HashMap;
use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use flate2::read::ZlibDecoder;
use hdf5_pure::{Dataset, Error as Hdf5, FormatError, Layout, Source};

use super::{Hdf5Error, TrialAxis};

/// The bytes of the file.
pub(super) type Bytes = Arc<dyn Source + Send + Sync>;

/// The same for the reader of the file's structure.
pub(super) struct Shared(pub Bytes);

impl Source for Shared {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), FormatError> {
        self.0.read_at(offset, buffer)
    }
}

/// Larger chunks are left to the reader of whole rows.
const MOST_CHUNK_BYTES: u64 = 64 << 20;
/// Numbers with a gap of at most so many bytes between them are read in one go.
const GAP_BYTES: usize = 16 << 10;
/// The largest run that is read in one go.
const RUN_BYTES: usize = 8 << 20;
const DEFLATE: u16 = 1;
const SHUFFLE: u16 = 2;

/// Where the numbers of some columns lie.
pub(super) enum Pieces {
    /// Trial after trial: first byte, bytes of a trial, and runs within each.
    Runs { address: u64, trial_bytes: u64, runs: Vec<Run> },
    /// Chunks that hold some of the columns.
    Chunks {
        filters: Vec<u16>,
        n_numbers: usize,
        chunks: Vec<Chunk>,
        cells: Vec<Vec<Cell>>,
        height: usize,
        step: usize,
    },
}

/// Places of a trial from `first` on, and which columns are there: (place behind the first, number of the column).
pub(super) struct Run {
    first: usize,
    n: usize,
    columns: Vec<(usize, usize)>,
}

/// A chunk: its first trial, where it is, and which columns are in it (a place in `cells`).
pub(super) struct Chunk {
    trial: usize,
    address: u64,
    bytes: u64,
    left_out: u32,
    cell: usize,
}

/// A column in the chunks of one place: where it is in the first trial of the chunk, and its number.
pub(super) struct Cell {
    at: usize,
    number: usize,
}

impl Pieces {
    /// `places` are those of the columns among the numbers of one trial, in the order of the file; `complete` says that
    /// every chunk was written. `None` where the layout or a filter leaves it to the reader of whole rows.
    pub(super) fn new(
        dataset: &Dataset,
        trials: TrialAxis,
        places: &[usize],
        complete: bool,
    ) -> Result<Option<Pieces>, Hdf5> {
        let dims: Vec<usize> = dataset.shape()?.iter().map(|&n| n as usize).collect();
        let size = dataset.element_size()? as usize;
        match dataset.layout()? {
            Layout::Contiguous { address: Some(address), .. } if trials == TrialAxis::First => {
                let trial_bytes = (dims[1..].iter().product::<usize>() * size) as u64;
                Ok(Some(Pieces::Runs { address, trial_bytes, runs: runs(places, size) }))
            }
            Layout::Chunked { chunk_shape, .. } if complete => {
                let filters: Vec<u16> = dataset.filters();
                let shape: Vec<usize> = chunk_shape.iter().map(|&n| n as usize).collect();
                let n_numbers = shape.iter().try_fold(1usize, |all, &n| all.checked_mul(n));
                let Some(n_numbers) = n_numbers.filter(|n| (*n as u64).saturating_mul(size as u64) <= MOST_CHUNK_BYTES)
                else {
                    return Ok(None);
                };
                if shape.len() != dims.len()
                    || shape.contains(&0)
                    || !filters.iter().all(|f| [DEFLATE, SHUFFLE].contains(f))
                {
                    return Ok(None);
                }
                let listed = dataset.chunks()?;
                let along = match trials {
                    TrialAxis::First => 0,
                    TrialAxis::Last => dims.len() - 1,
                };
                Ok(Some(Pieces::of_chunks(&dims, &shape, along, places, filters, n_numbers, listed)))
            }
            _ => Ok(None),
        }
    }

    fn of_chunks(
        dims: &[usize],
        shape: &[usize],
        along: usize,
        places: &[usize],
        filters: Vec<u16>,
        n_numbers: usize,
        listed: Vec<hdf5_pure::Chunk>,
    ) -> Pieces {
        // Numbers from one place of a chunk to the next, along each axis.
        let steps: Vec<usize> = (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect();
        let mut cell_of: HashMap<Vec<u64>, usize> = HashMap::new();
        let mut cells: Vec<Vec<Cell>> = Vec::new();
        for (number, &place) in places.iter().enumerate() {
            let (mut rest, mut at, mut corner) = (place, 0, vec![0u64; dims.len()]);
            for axis in (0..dims.len()).rev().filter(|axis| *axis != along) {
                let index = rest % dims[axis];
                rest /= dims[axis];
                at += index % shape[axis] * steps[axis];
                corner[axis] = (index - index % shape[axis]) as u64;
            }
            let cell = *cell_of.entry(corner).or_insert_with(|| {
                cells.push(Vec::new());
                cells.len() - 1
            });
            cells[cell].push(Cell { at, number });
        }
        let mut chunks: Vec<Chunk> = listed
            .into_iter()
            .filter_map(|chunk| {
                let mut corner = chunk.offset;
                let trial = std::mem::take(corner.get_mut(along)?) as usize;
                let cell = *cell_of.get(&corner)?;
                let (address, bytes, left_out) = (chunk.address, chunk.storage_size, chunk.filter_mask);
                Some(Chunk { trial, address, bytes, left_out, cell })
            })
            .collect();
        // As they lie in the file.
        chunks.sort_by_key(|chunk| chunk.address);
        Pieces::Chunks { filters, n_numbers, chunks, cells, height: shape[along], step: steps[along] }
    }

    /// Calls `set` with trial, number of the column and bytes for every number of some trials.
    pub(super) fn read(
        &self,
        source: &Bytes,
        size: usize,
        trials: Range<usize>,
        mut set: impl FnMut(usize, usize, &[u8]),
    ) -> Result<(), Hdf5Error> {
        let io = |error: FormatError| Hdf5Error::Damaged(error.to_string());
        match self {
            Pieces::Runs { address, trial_bytes, runs } => {
                let mut buffer = Vec::new();
                for trial in trials {
                    for run in runs {
                        buffer.resize(run.n * size, 0);
                        let at = address + trial as u64 * trial_bytes + (run.first * size) as u64;
                        source.read_at(at, &mut buffer).map_err(io)?;
                        for &(place, number) in &run.columns {
                            set(trial, number, &buffer[place * size..(place + 1) * size]);
                        }
                    }
                }
            }
            Pieces::Chunks { filters, n_numbers, chunks, cells, height, step } => {
                for chunk in chunks {
                    let (from, to) = (chunk.trial.max(trials.start), (chunk.trial + height).min(trials.end));
                    if from >= to {
                        continue;
                    }
                    let wrong = |what: String| Hdf5Error::Damaged(format!("chunk at byte {}: {what}", chunk.address));
                    let length = usize::try_from(chunk.bytes).map_err(|error| wrong(error.to_string()))?;
                    let stored =
                        source.read_exact_at(chunk.address, length).map_err(|error| wrong(error.to_string()))?;
                    let numbers = unpacked(stored, filters, chunk.left_out, size, n_numbers * size).map_err(wrong)?;
                    for trial in from..to {
                        for cell in &cells[chunk.cell] {
                            let at = (cell.at + (trial - chunk.trial) * step) * size;
                            set(trial, cell.number, &numbers[at..at + size]);
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// Runs of places that are read in one go.
fn runs(places: &[usize], size: usize) -> Vec<Run> {
    let mut order: Vec<(usize, usize)> =
        places.iter().copied().enumerate().map(|(number, place)| (place, number)).collect();
    order.sort_unstable();
    let mut runs: Vec<Run> = Vec::new();
    for (place, number) in order {
        match runs.last_mut() {
            Some(run)
                if (place - run.first - run.n.min(place - run.first)) * size <= GAP_BYTES
                    && (place + 1 - run.first) * size <= RUN_BYTES =>
            {
                run.n = place + 1 - run.first;
                run.columns.push((place - run.first, number));
            }
            _ => runs.push(Run { first: place, n: 1, columns: vec![(0, number)] }),
        }
    }
    runs
}

/// The bytes of a chunk as they were before its filters; there are `wanted` of them.
fn unpacked(mut bytes: Vec<u8>, filters: &[u16], left_out: u32, size: usize, wanted: usize) -> Result<Vec<u8>, String> {
    for (at, filter) in filters.iter().enumerate().rev() {
        if left_out >> at & 1 == 1 {
            continue;
        }
        bytes = match *filter {
            DEFLATE => {
                let mut out = Vec::with_capacity(wanted);
                // One more byte than there should be, to notice it.
                let read = ZlibDecoder::new(&bytes[..]).take(wanted as u64 + 1).read_to_end(&mut out);
                read.map_err(|error| format!("does not unpack: {error}"))?;
                out
            }
            _ => unshuffled(&bytes, size),
        };
    }
    match bytes.len() {
        got if got == wanted => Ok(bytes),
        got => Err(format!("{got} bytes, expected {wanted}")),
    }
}

fn unshuffled(bytes: &[u8], size: usize) -> Vec<u8> {
    let n = bytes.len() / size;
    let mut out = vec![0; bytes.len()];
    for (byte, plane) in bytes[..n * size].chunks_exact(n.max(1)).enumerate() {
        plane.iter().enumerate().for_each(|(at, &value)| out[at * size + byte] = value);
    }
    // What does not fill a number stays behind.
    out[n * size..].copy_from_slice(&bytes[n * size..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_places_are_one_run() {
        let gap = GAP_BYTES / 2;
        let runs = runs(&[5, 3, 4, 4 + gap, 5 + 2 * gap + 20], 2);
        let told: Vec<(usize, usize, usize)> = runs.iter().map(|run| (run.first, run.n, run.columns.len())).collect();
        assert_eq!(told, [(3, gap + 2, 4), (2 * gap + 25, 1, 1)]);
        assert_eq!(runs[0].columns, [(0, 1), (1, 2), (2, 0), (gap + 1, 3)]);
    }

    #[test]
    fn filters_are_undone_in_reverse() {
        // Two numbers of two bytes, shuffled: first bytes, then second ones.
        assert_eq!(unshuffled(&[1, 3, 2, 4], 2), [1, 2, 3, 4]);
        assert_eq!(unshuffled(&[1, 3, 2, 4, 9], 2), [1, 2, 3, 4, 9]);
        assert_eq!(unpacked(vec![1, 3, 2, 4], &[SHUFFLE, DEFLATE], 0b10, 2, 4).unwrap(), [1, 2, 3, 4]);
        assert_eq!(unpacked(vec![1, 3, 2, 4], &[SHUFFLE], 1, 2, 4).unwrap(), [1, 3, 2, 4]);
        assert!(unpacked(vec![1, 2, 3], &[], 0, 2, 4).unwrap_err().contains("3 bytes, expected 4"));
        assert!(unpacked(vec![1, 2, 3], &[DEFLATE], 0, 2, 4).unwrap_err().contains("does not unpack"));
    }
}
