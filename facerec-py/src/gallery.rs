//! Who is known.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use facerec_core::gallery::{DecisionOptions, FaceId, NewFace};
use facerec_core::text::escape_path;
use facerec_core::{EnrollOptions, QualityGate};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::embedding::Embedding;
use crate::engine::{Choices, Engine, filter};
use crate::error::{OrRaise, argument};
use crate::name::Name;
use crate::opening::{Opening, key_of};
use crate::{process, records};

/// People and their faces, in a folder. Open it with `Engine.gallery` or `Gallery.open`, best in a `with` statement.
///
/// A change that returned is on the disk. One process writes at a time, any number read. Photos are never stored.
#[pyclass(frozen, module = "facerec")]
pub(crate) struct Gallery {
    path: PathBuf,
    engine: Option<Py<Engine>>,
    /// `None` once it is closed.
    core: Mutex<Option<Arc<facerec_core::Gallery>>>,
}

/// A gallery, or where it is.
#[derive(FromPyObject)]
pub(crate) enum Known<'py> {
    Opened(Bound<'py, Gallery>),
    At(PathBuf),
}

/// Milliseconds since 1970 of a time in seconds.
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1e3).round() as i64
}

pub(crate) fn enroll_options(
    gate: Option<&str>,
    source: Option<String>,
    metadata: Option<String>,
    expires: Option<f64>,
) -> PyResult<EnrollOptions> {
    let mut options = EnrollOptions::default();
    if let Some(gate) = gate {
        options = options.gate(gate.parse::<QualityGate>().or_raise()?);
    }
    if let Some(source) = source {
        options = options.source(source);
    }
    if let Some(json) = metadata {
        options = options.metadata(json);
    }
    Ok(match expires {
        Some(time) => options.expires_at_ms(milliseconds(time)),
        None => options,
    })
}

impl Gallery {
    pub(crate) fn open_with(py: Python<'_>, path: PathBuf, engine: Option<Py<Engine>>, opening: Opening) -> PyResult<Self> {
        process::enter()?;
        let (options, raised) = opening.into_core(py)?;
        let core = engine.as_ref().map(|engine| Arc::clone(&engine.get().core));
        let opened = py.detach(|| match core {
            Some(engine) => engine.open_gallery_with(&path, options),
            None => facerec_core::Gallery::open_any(&path, options),
        });
        if let Err(exception) = raised.check() {
            py.detach(|| drop(opened));
            return Err(exception);
        }
        let core = opened.or_raise()?;
        // Not `path`: an address may hold a password.
        Ok(Self { path: core.path().into(), engine, core: Mutex::new(Some(Arc::new(core))) })
    }

    /// The core's gallery.
    pub(crate) fn open(&self) -> PyResult<Arc<facerec_core::Gallery>> {
        process::enter()?;
        let core = self.core.lock().unwrap_or_else(PoisonError::into_inner).clone();
        core.ok_or_else(|| argument("gallery", format!("expected an open gallery, got `{}`, which was closed", escape_path(&self.path))))
    }

    fn engine(&self) -> PyResult<&Engine> {
        let missing = || argument("gallery", "expected one that was opened with an engine: engine.gallery(path)");
        self.engine.as_ref().map(Py::get).ok_or_else(missing)
    }

    /// Does `work` without the GIL.
    fn on<T: Send>(&self, py: Python<'_>, work: impl FnOnce(&facerec_core::Gallery) -> facerec_core::Result<T> + Send) -> PyResult<T> {
        let core = self.open()?;
        py.detach(|| work(&core)).or_raise()
    }
}

#[pymethods]
impl Gallery {
    /// Opens the gallery in the folder `path`; with an engine as `Engine.gallery` does, else whatever model it was made with, to look
    /// into, change, check and copy it. Arguments as in `Engine.gallery`.
    #[staticmethod]
    #[pyo3(signature = (
        path, engine=None, *, read_only=None, create=None, salvage=None, index=None, key=None, passphrase=None, actor=None, wait=None,
        progress=None
    ))]
    #[pyo3(name = "open")]
    #[allow(clippy::too_many_arguments)] // keywords
    fn open_at(
        py: Python<'_>,
        path: PathBuf,
        engine: Option<Py<Engine>>,
        read_only: Option<bool>,
        create: Option<bool>,
        salvage: Option<bool>,
        index: Option<String>,
        key: Option<Vec<u8>>,
        passphrase: Option<String>,
        actor: Option<String>,
        wait: Option<f64>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        Self::open_with(py, path, engine, Opening { read_only, create, salvage, index, key, passphrase, actor, wait, progress })
    }

    /// Enrols the face of a picture under a person's name. A refusal is an answer, with its reason.
    ///
    /// Args:
    ///     person: The name, 1 to 200 characters; a new one makes a new person.
    ///     image: As for `Engine.detect`, or a `Face` that `Engine.embed` gave: of several, the one that is meant.
    ///     gate: How strict to be about the face: `off`, `standard` (the default) or `strict`.
    ///     source: Where the photo came from, kept with the face.
    ///     metadata: The text of a JSON object, kept with the face.
    ///     expires: When the face is to be forgotten, seconds since 1970 UTC; default never.
    ///     bgr: The array has OpenCV's channel order.
    ///
    /// >>> with engine.gallery(folder) as gallery:
    /// ...     enrolment = gallery.enroll("Ana", photos / "people" / "obama.jpg")
    /// ...     again = gallery.enroll("Ana", photos / "strangers" / "t1.jpg")
    /// >>> enrolment.accepted, again.reason
    /// (True, 'several_faces')
    #[pyo3(signature = (person, image, *, gate=None, source=None, metadata=None, expires=None, bgr=false))]
    #[allow(clippy::too_many_arguments)] // keywords
    fn enroll<'py>(
        &self,
        person: Name,
        image: &Bound<'py, PyAny>,
        gate: Option<&str>,
        source: Option<String>,
        metadata: Option<String>,
        expires: Option<f64>,
        bgr: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = enroll_options(gate, source, metadata, expires)?;
        self.engine()?.enroll_into(&*self.open()?, &person, image, options, bgr)
    }

    /// Says who is in a picture. Unknown (`face.person` is `None`) is a normal answer.
    ///
    /// Args:
    ///     image: As for `Engine.detect`.
    ///     threshold: Similarity from which somebody is named; default the engine's.
    ///     margin: Least lead over the runner-up.
    ///     candidates: How many people to list as evidence.
    ///     only: Look only among these people.
    ///     where: Look only among faces whose metadata has these entries: the text of a JSON object.
    ///     bgr: The array has OpenCV's channel order.
    ///
    /// >>> with engine.gallery(folder) as gallery:
    /// ...     _ = gallery.enroll("Barack", photos / "people" / "obama.jpg")
    /// ...     found = gallery.identify(photos / "people" / "obama2.jpg")
    /// >>> found[0].person, found[0].decision.reason
    /// ('Barack', 'match')
    #[pyo3(signature = (image, *, threshold=None, margin=None, candidates=None, only=None, r#where=None, bgr=false))]
    #[allow(clippy::too_many_arguments)] // keywords
    fn identify<'py>(
        &self,
        image: &Bound<'py, PyAny>,
        threshold: Option<f32>,
        margin: Option<f32>,
        candidates: Option<usize>,
        only: Option<Vec<Name>>,
        r#where: Option<&str>,
        bgr: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let choices = Choices { threshold, margin, candidates };
        self.engine()?.identify_in(&*self.open()?, image, choices, filter(only, r#where)?, bgr)
    }

    /// Says whose face a vector is; `threshold` is the similarity from which somebody is named. Needs no engine. `only` and `where`
    /// as in `identify`.
    #[pyo3(signature = (embedding, threshold, *, margin=None, candidates=None, only=None, r#where=None))]
    #[allow(clippy::too_many_arguments)] // keywords
    fn decide<'py>(
        &self,
        py: Python<'py>,
        embedding: &Embedding,
        threshold: f32,
        margin: Option<f32>,
        candidates: Option<usize>,
        only: Option<Vec<Name>>,
        r#where: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let options = Choices { threshold: None, margin, candidates }.on(DecisionOptions::new(threshold));
        let (query, filter) = (std::slice::from_ref(&embedding.0), filter(only, r#where)?);
        let decisions = self.on(py, |gallery| gallery.identify_among(query, &options, &filter))?;
        decisions.first().map_or_else(|| Ok(py.None().into_bound(py)), |decision| records::decision(py, decision))
    }

    /// The `k` most similar enrolled faces, best first; `only` and `where` as in `identify`.
    #[pyo3(signature = (embedding, k=10, *, only=None, r#where=None))]
    fn search<'py>(
        &self,
        py: Python<'py>,
        embedding: &Embedding,
        k: usize,
        only: Option<Vec<Name>>,
        r#where: Option<&str>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (query, filter) = (std::slice::from_ref(&embedding.0), filter(only, r#where)?);
        let found = self.on(py, |gallery| gallery.search_among(query, k, &filter))?;
        records::table(py, found.iter().flatten(), |one| records::a_match(py, one))
    }

    /// Enrols a vector under a person's name, unseen; returns the face's number. Needs no engine. The rest as in `enroll`.
    #[pyo3(signature = (person, embedding, *, source=None, metadata=None, expires=None))]
    fn add(
        &self,
        py: Python<'_>,
        person: Name,
        embedding: &Embedding,
        source: Option<&str>,
        metadata: Option<&str>,
        expires: Option<f64>,
    ) -> PyResult<i64> {
        let mut face = NewFace::new(&embedding.0);
        if let Some(source) = source {
            face = face.source(source);
        }
        if let Some(json) = metadata {
            face = face.metadata(json);
        }
        if let Some(time) = expires {
            face = face.expires_at_ms(milliseconds(time));
        }
        Ok(self.on(py, |gallery| gallery.add(&person, face))?.0)
    }

    /// Everybody, by name.
    fn people<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let people = self.on(py, |gallery| gallery.persons())?;
        records::table(py, &people, |one| records::person(py, one))
    }

    /// One person.
    ///
    /// Raises:
    ///     PersonNotFound: Nobody of that name.
    fn person<'py>(&self, py: Python<'py>, person: Name) -> PyResult<Bound<'py, PyAny>> {
        records::person(py, &self.on(py, |gallery| gallery.person(&person))?)
    }

    /// A person's faces, in the order of enrolment.
    ///
    /// Raises:
    ///     PersonNotFound: Nobody of that name.
    fn faces<'py>(&self, py: Python<'py>, person: Name) -> PyResult<Bound<'py, PyAny>> {
        let faces = self.on(py, |gallery| gallery.faces(&person))?;
        records::table(py, &faces, |one| records::enrolled_face(py, one))
    }

    /// The vector of an enrolled face; `None` when there is no such face.
    fn embedding(&self, py: Python<'_>, face: i64) -> PyResult<Option<Embedding>> {
        Ok(self.on(py, |gallery| gallery.embedding(FaceId(face)))?.map(Embedding))
    }

    /// Removes a person with all faces from every file of the gallery; returns how many faces there were.
    ///
    /// Raises:
    ///     PersonNotFound: Nobody of that name.
    fn remove(&self, py: Python<'_>, person: Name) -> PyResult<usize> {
        self.on(py, |gallery| gallery.remove_person(&person))
    }

    /// Removes a face, and its person when it was their last; `False` when there is no such face.
    fn remove_face(&self, py: Python<'_>, face: i64) -> PyResult<bool> {
        self.on(py, |gallery| gallery.remove_face(FaceId(face)))
    }

    /// Gives a person another name.
    ///
    /// Raises:
    ///     PersonNotFound: Nobody of that name.
    ///     InvalidArgument: The new name is taken.
    fn rename(&self, py: Python<'_>, person: Name, new_name: Name) -> PyResult<()> {
        self.on(py, |gallery| gallery.rename(&person, &new_name))
    }

    /// Makes one person of two: all faces of `person` become those of `into`, and `person` is no more; returns how many faces there
    /// were.
    ///
    /// Raises:
    ///     PersonNotFound: Nobody of that name.
    ///     InvalidArgument: The two are the same.
    fn merge(&self, py: Python<'_>, person: Name, into: Name) -> PyResult<usize> {
        self.on(py, |gallery| gallery.merge(&person, &into))
    }

    /// Gives faces of a person, by their numbers, to another one, who is made when there is none of that name; returns how many
    /// there were. A person whose last face goes is no more.
    ///
    /// Raises:
    ///     PersonNotFound: Nobody of that name.
    ///     InvalidArgument: One of the faces is not the person's.
    fn split(&self, py: Python<'_>, person: Name, faces: Vec<i64>, into: Name) -> PyResult<usize> {
        let faces: Vec<FaceId> = faces.into_iter().map(FaceId).collect();
        self.on(py, |gallery| gallery.split(&person, &faces, &into))
    }

    /// Pairs of people who look alike, the most alike first: most likely one person under two names, to be merged.
    ///
    /// Args:
    ///     threshold: Similarity from which two faces are one person's; default the engine's for naming.
    ///     limit: Most pairs to list.
    #[pyo3(signature = (threshold=None, *, limit=100))]
    fn duplicates<'py>(&self, py: Python<'py>, threshold: Option<f32>, limit: usize) -> PyResult<Bound<'py, PyAny>> {
        let threshold = match threshold {
            Some(threshold) => threshold,
            None => self.engine()?.core.identify_threshold().or_raise()?,
        };
        let found = self.on(py, |gallery| gallery.duplicates(threshold, limit))?;
        records::table(py, &found, |one| records::duplicate(py, one))
    }

    /// Writes the gallery into a file of JSON Lines, which is there whole or not at all; returns the number of faces.
    fn export(&self, py: Python<'_>, path: PathBuf) -> PyResult<usize> {
        self.on(py, |gallery| gallery.export_to(path))
    }

    /// Writes everything that is held about one person into a file of JSON Lines, with the audit log's entries about them; returns
    /// the number of faces.
    ///
    /// Raises:
    ///     PersonNotFound: Nobody of that name.
    fn export_person(&self, py: Python<'_>, person: Name, path: PathBuf) -> PyResult<usize> {
        self.on(py, |gallery| gallery.export_person_to(&person, path))
    }

    /// Encrypts the gallery, gives it another key, or with neither makes it plain: everything is written anew.
    ///
    /// Args:
    ///     key: 32 random bytes.
    ///     passphrase: Instead of a key.
    #[pyo3(signature = (*, key=None, passphrase=None))]
    fn set_key(&self, py: Python<'_>, key: Option<Vec<u8>>, passphrase: Option<String>) -> PyResult<()> {
        let key = key_of(key, passphrase)?;
        self.on(py, |gallery| gallery.set_key(key))
    }

    /// Deletes the faces whose time has come, as opening for writing and every change do too; returns how many there were.
    fn purge_expired(&self, py: Python<'_>) -> PyResult<usize> {
        self.on(py, facerec_core::Gallery::purge_expired)
    }

    /// The audit log: one entry for each change, at most `limit` of those after the entry `after`.
    #[pyo3(signature = (after=0, *, limit=1000))]
    fn audit<'py>(&self, py: Python<'py>, after: i64, limit: usize) -> PyResult<Bound<'py, PyAny>> {
        let entries = self.on(py, |gallery| gallery.audit(after, limit))?;
        records::table(py, &entries, |one| records::audit_entry(py, one))
    }

    /// Adds the faces of an exported file, all or none. May be repeated.
    fn import_<'py>(&self, py: Python<'py>, path: PathBuf) -> PyResult<Bound<'py, PyAny>> {
        records::import_report(py, &self.on(py, |gallery| gallery.import_from(path))?)
    }

    /// Reads and compares everything; repairs nothing.
    fn verify<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        records::verify_report(py, &self.on(py, facerec_core::Gallery::verify)?)
    }

    /// The gallery in numbers.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        records::stats(py, &self.on(py, facerec_core::Gallery::stats)?)
    }

    /// Gives the space of removed faces back to the disk.
    fn compact(&self, py: Python<'_>) -> PyResult<()> {
        self.on(py, facerec_core::Gallery::compact)
    }

    /// Closes the gallery, so that another process may write. A video that is looked through with it keeps it until it is over.
    fn close(&self, py: Python<'_>) {
        let core = self.core.lock().unwrap_or_else(PoisonError::into_inner).take();
        if !process::is_forked() {
            return py.detach(|| drop(core));
        }
        std::mem::forget(core); // the other process goes on with it
    }

    /// The gallery's folder; of one on a server its address without the password, as text.
    #[getter]
    fn path<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        // A path object would drop a slash of the address.
        match self.path.to_str().filter(|text| text.contains("://")) {
            Some(address) => address.into_bound_py_any(py),
            None => self.path.as_path().into_bound_py_any(py),
        }
    }

    /// Whether it was closed.
    #[getter]
    fn closed(&self) -> bool {
        self.core.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    /// Id of the model whose embeddings it holds.
    #[getter]
    fn model(&self) -> PyResult<String> {
        Ok(self.open()?.model().id.clone())
    }

    /// Hash of that model's weights and preprocessing.
    #[getter]
    fn model_hash(&self) -> PyResult<String> {
        Ok(self.open()?.model().hash.clone())
    }

    fn __enter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __exit__(
        &self,
        py: Python<'_>,
        _exc_type: Option<Bound<'_, PyType>>,
        _exc: Option<Bound<'_, PyAny>>,
        _traceback: Option<Bound<'_, PyAny>>,
    ) {
        self.close(py);
    }

    fn __repr__(&self) -> String {
        format!("<Gallery `{}`{}>", escape_path(&self.path), if self.closed() { ", closed" } else { "" })
    }
}

impl Drop for Gallery {
    fn drop(&mut self) {
        if process::is_forked() {
            std::mem::forget(self.core.lock().unwrap_or_else(PoisonError::into_inner).take());
        }
    }
}
