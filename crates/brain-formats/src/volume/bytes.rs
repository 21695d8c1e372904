//! Bytes of a file or pipe in which plain parts and gzip members follow one another: what `cat a.nii b.nii.gz` gives.
//!
//! Zeros behind a gzip member are padding, as gzip itself and Python take them (<https://www.gzip.org/#faq8>).

use std::io::{self, BufRead, Read};

use flate2::{Decompress, FlushDecompress, Status};

/// First bytes of a gzip member.
pub(crate) const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Read from the source at a time.
const CHUNK: usize = 1 << 18;

/// Window of a gzip member, the largest that the format has.
const WINDOW_BITS: u8 = 15;

/// A buffered source whose next bytes can be looked at.
struct Raw {
    source: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    at: usize,
    /// Bytes handed out so far.
    taken: u64,
}

impl Raw {
    /// The next bytes without taking them: at least `n`, or all there are.
    fn peek(&mut self, n: usize) -> io::Result<&[u8]> {
        while self.buffer.len() - self.at < n {
            self.buffer.drain(..self.at);
            self.at = 0;
            let have = self.buffer.len();
            self.buffer.resize(have + CHUNK, 0);
            let got = loop {
                match self.source.read(&mut self.buffer[have..]) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    got => break got,
                }
            };
            self.buffer.truncate(have + *got.as_ref().unwrap_or(&0));
            if got? == 0 {
                break;
            }
        }
        Ok(&self.buffer[self.at..])
    }

    fn skip_zeros(&mut self) -> io::Result<()> {
        loop {
            let next = self.peek(1)?;
            let zeros = next.iter().take_while(|byte| **byte == 0).count();
            if zeros == 0 {
                return Ok(());
            }
            self.consume(zeros);
        }
    }
}

impl BufRead for Raw {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.peek(1)
    }
    fn consume(&mut self, n: usize) {
        self.at += n;
        self.taken += n as u64;
    }
}

impl Read for Raw {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.buffer.len() && out.len() >= CHUNK {
            let n = self.source.read(out)?;
            self.taken += n as u64;
            return Ok(n);
        }
        let n = self.peek(1)?.len().min(out.len());
        out[..n].copy_from_slice(&self.buffer[self.at..self.at + n]);
        self.consume(n);
        Ok(n)
    }
}

/// What a gzip member holds. The inflating library reads its header and checks its checksum and length itself: one pass
/// over bytes that are still in the cache, where flate2's own decoder makes a second one.
struct Member {
    raw: Raw,
    inflate: Decompress,
    ended: bool,
}

impl Member {
    fn new(raw: Raw) -> Member {
        Member { raw, inflate: Decompress::new_gzip(WINDOW_BITS), ended: false }
    }
}

impl Read for Member {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while !self.ended && !out.is_empty() {
            let packed = self.raw.fill_buf()?;
            let is_last = packed.is_empty();
            let before = (self.inflate.total_in(), self.inflate.total_out());
            let status = self.inflate.decompress(packed, out, FlushDecompress::None);
            let taken = (self.inflate.total_in() - before.0) as usize;
            let n = (self.inflate.total_out() - before.1) as usize;
            self.raw.consume(taken);
            match status {
                Ok(status) => self.ended = status == Status::StreamEnd,
                Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
            }
            if n > 0 {
                return Ok(n);
            }
            if is_last && !self.ended {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(0)
    }
}

enum Layer {
    Plain(Raw),
    Member(Box<Member>),
    /// Behind a member and its padding.
    Between(Raw),
    /// While one layer becomes the next.
    Changing,
}

/// The bytes, decompressed where they are compressed.
pub(crate) struct Bytes {
    layer: Layer,
}

impl Bytes {
    pub(crate) fn new(source: Box<dyn Read + Send>) -> Self {
        Bytes { layer: Layer::Plain(Raw { source, buffer: Vec::new(), at: 0, taken: 0 }) }
    }

    pub(crate) fn compressed(&self) -> bool {
        matches!(self.layer, Layer::Member(_))
    }

    /// Bytes taken from the source, where they are plain.
    pub(crate) fn taken(&self) -> Option<u64> {
        match &self.layer {
            Layer::Plain(raw) => Some(raw.taken),
            _ => None,
        }
    }

    fn change(&mut self, next: impl FnOnce(Layer) -> Layer) {
        let layer = std::mem::replace(&mut self.layer, Layer::Changing);
        self.layer = next(layer);
    }

    /// Reads where an image may begin: there, and only there, a gzip member may follow plain bytes, and plain bytes a
    /// member. Nothing read is the end of everything.
    pub(crate) fn read_start(&mut self, out: &mut [u8]) -> Result<usize, Cut> {
        self.enter_member().map_err(|error| Cut { got: 0, error })?;
        let n = fill(self, out)?;
        if n > 0 {
            return Ok(n);
        }
        self.change(|layer| match layer {
            Layer::Between(raw) => Layer::Plain(raw),
            other => other,
        });
        fill(self, out)
    }

    fn enter_member(&mut self) -> io::Result<()> {
        if let Layer::Plain(raw) = &mut self.layer
            && raw.peek(GZIP.len())?.starts_with(&GZIP)
        {
            self.change(|layer| match layer {
                Layer::Plain(raw) => Layer::Member(Box::new(Member::new(raw))),
                other => other,
            });
        }
        Ok(())
    }

    /// How many bytes are left; of decompressed ones not more than about `most` are counted, which `false` says.
    pub(crate) fn count_rest(&mut self, most: u64) -> io::Result<(u64, bool)> {
        if let Layer::Plain(_) = self.layer {
            return Ok((io::copy(self, &mut io::sink())?, true));
        }
        let n = io::copy(&mut self.by_ref().take(most), &mut io::sink())?;
        Ok((n, n < most))
    }
}

impl Read for Bytes {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            match &mut self.layer {
                Layer::Plain(raw) => return raw.read(out),
                Layer::Member(member) => match member.read(out)? {
                    0 => {}
                    n => return Ok(n),
                },
                Layer::Between(raw) => {
                    if !raw.peek(GZIP.len())?.starts_with(&GZIP) {
                        return Ok(0);
                    }
                }
                Layer::Changing => return Ok(0),
            }
            self.change(|layer| match layer {
                Layer::Member(member) => Layer::Between(member.raw),
                Layer::Between(raw) => Layer::Member(Box::new(Member::new(raw))),
                other => other,
            });
            if let Layer::Between(raw) = &mut self.layer {
                raw.skip_zeros()?;
            }
        }
    }
}

/// Reading failed after some bytes.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) got: usize,
    pub(crate) error: io::Error,
}

/// Fills `out` as far as the bytes go.
pub(crate) fn fill(source: &mut impl Read, out: &mut [u8]) -> Result<usize, Cut> {
    let mut got = 0;
    while got < out.len() {
        match source.read(&mut out[got..]) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Cut { got, error }),
        }
    }
    Ok(got)
}
