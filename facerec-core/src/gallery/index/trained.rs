//! FAISS structures that are trained and then filled, by their factory description.

use std::io;

use faiss::index::autotune::ParameterSpace;
use faiss::index::{Idx, Index, IndexImpl, TryClone};
use faiss::{MetricType, index_factory};

use super::flat::{failed, hits};
use super::threads::Alone;
use super::{Hit, VectorIndex};
use crate::error::{Error, Result};

/// One FAISS index with a known dimension. FAISS checks no lengths, so everything is checked here.
pub(super) struct Trained {
    index: IndexImpl,
    dim: usize,
}

impl Trained {
    /// A new, empty index that was trained on `vectors`. `description` is one of FAISS's index factory.
    pub(super) fn new(dim: usize, description: &str, vectors: &[f32]) -> Result<Self> {
        let d = u32::try_from(dim).map_err(|e| Error::internal(e.to_string()))?;
        let mut index = index_factory(d, description, MetricType::InnerProduct).map_err(failed)?;
        check(vectors, dim)?;
        index.train(vectors).map_err(failed)?;
        Ok(Self { index, dim })
    }

    pub(super) fn dim(&self) -> usize {
        self.dim
    }

    pub(super) fn duplicate(&self) -> Result<Self> {
        Ok(Self { index: self.index.try_clone().map_err(failed)?, dim: self.dim })
    }

    /// Sets a search parameter by FAISS's name for it.
    pub(super) fn set(&mut self, parameter: &str, value: usize) -> Result<()> {
        let space = ParameterSpace::new().map_err(failed)?;
        space.set_index_parameter(&self.index, parameter, value as f64).map_err(failed)
    }

    /// FAISS's own serialisation. `unsupported` where files in memory are not available: then it is not saved.
    pub(super) fn to_bytes(&self) -> io::Result<Vec<u8>> {
        MemoryFile::new()?.write(&self.index)
    }
}

/// Reads many of them, one after the other.
pub(in super::super) struct PartReader {
    file: MemoryFile,
    dim: usize,
}

impl PartReader {
    pub(in super::super) fn new(dim: usize) -> io::Result<Self> {
        Ok(Self { file: MemoryFile::new()?, dim })
    }

    /// What [`Trained::to_bytes`] made. The caller has compared a checksum: FAISS trusts its bytes.
    pub(in super::super) fn read(&mut self, bytes: &[u8]) -> io::Result<Part> {
        let index = self.file.read(bytes)?;
        let right = index.d() as usize == self.dim && matches!(index.metric_type(), MetricType::InnerProduct);
        if right { Ok(Part(Trained { index, dim: self.dim })) } else { Err(io::Error::other("it has another dimension or metric")) }
    }
}

/// A part of a saved base.
pub(in super::super) struct Part(pub(super) Trained);

impl VectorIndex for Trained {
    fn len(&self) -> usize {
        self.index.ntotal() as usize
    }

    fn add(&mut self, vectors: &[f32]) -> Result<()> {
        check(vectors, self.dim)?;
        self.index.add(vectors).map_err(failed)
    }

    fn search(&self, queries: &[f32], k: usize) -> Result<Vec<Vec<Hit>>> {
        check(queries, self.dim)?;
        let k = k.min(self.len());
        let count = queries.len() / self.dim;
        if k == 0 || count == 0 {
            return Ok(vec![Vec::new(); count]);
        }
        let mut similarities = vec![0.0_f32; k * count];
        let mut labels = vec![Idx::none(); k * count];
        let _alone = (count == 1).then(Alone::new);
        // SAFETY: the pointers are to `count` queries of `dim` values, checked above against the index's own dimension, and to
        // `k * count` results of each kind; `Idx` is `repr(transparent)` over FAISS's id. The crate asks for `&mut` because it does
        // not know what kind of index this is. The kinds made here are CPU indexes, whose `search` is `const` and may run on many
        // threads at once (FAISS wiki, "Threads and asynchronous calls"); everything that changes one takes `&mut self`.
        #[allow(unsafe_code)]
        let code = unsafe {
            faiss_sys::faiss_Index_search(
                self.index.inner_ptr(),
                count as i64,
                queries.as_ptr(),
                k as i64,
                similarities.as_mut_ptr(),
                labels.as_mut_ptr().cast(),
            )
        };
        if code != 0 {
            return Err(Error::internal(format!("FAISS: search failed with code {code}")));
        }
        Ok(hits(&labels, &similarities, k))
    }
}

fn check(vectors: &[f32], dim: usize) -> Result<()> {
    if vectors.len().is_multiple_of(dim) {
        return Ok(());
    }
    Err(Error::DimensionMismatch { what: "vectors", expected: dim, actual: vectors.len() })
}

/// FAISS reads and writes files by name. On Linux a file may live in memory only: nothing that FAISS writes comes to a disk as
/// it is, and it reads the very bytes that were checked. What is read next takes the same memory.
struct MemoryFile {
    #[cfg(target_os = "linux")]
    file: std::fs::File,
}

#[cfg(target_os = "linux")]
impl MemoryFile {
    fn new() -> io::Result<Self> {
        use rustix::fs::{MemfdFlags, memfd_create};

        Ok(Self { file: memfd_create("facerec-index", MemfdFlags::CLOEXEC)?.into() })
    }

    fn name(&self) -> String {
        use std::os::fd::AsRawFd;

        format!("/proc/self/fd/{}", self.file.as_raw_fd())
    }

    fn write(mut self, index: &IndexImpl) -> io::Result<Vec<u8>> {
        use std::io::{Read, Seek};

        faiss::index::io::write_index(index, self.name()).map_err(io::Error::other)?;
        let mut bytes = Vec::with_capacity(self.file.metadata()?.len() as usize);
        self.file.rewind()?;
        self.file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn read(&mut self, bytes: &[u8]) -> io::Result<IndexImpl> {
        use std::io::{Seek, Write};

        self.file.rewind()?;
        self.file.write_all(bytes)?;
        self.file.set_len(bytes.len() as u64)?;
        faiss::index::io::read_index(self.name()).map_err(io::Error::other)
    }
}

#[cfg(not(target_os = "linux"))]
impl MemoryFile {
    fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn write(self, _: &IndexImpl) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn read(&mut self, _: &[u8]) -> io::Result<IndexImpl> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
