//! Galleries of older versions, which kept one name in several spellings.

use std::path::Path;
use std::sync::Arc;

use super::Local;
use crate::face::{Embedding, ModelKey};
use crate::gallery::backend::Backend;
use crate::gallery::records::{NewFace, PersonId};
use crate::gallery::rows::PersonRow;
use crate::gallery::{DecisionOptions, FaceId, Gallery, GalleryKey, GalleryOptions, SearchFilter};

const NFD: &str = "Andre\u{301}";
const NFC: &str = "Andr\u{e9}";

fn model() -> Arc<ModelKey> {
    Arc::new(ModelKey::new("m", "1"))
}

fn embedding(angle: f32) -> Embedding {
    Embedding::new(model(), vec![angle.cos(), angle.sin(), 0.0]).unwrap()
}

/// Stores names as they are given, which [`Gallery`] does no more: five people of three names.
fn old(folder: &Path, options: &GalleryOptions) {
    let local = Local::open(folder, Some(&model()), options).unwrap();
    for (number, name) in ["Bo", NFD, NFC, "Cy  Lee", "\u{feff}Andr\u{e9}"].into_iter().enumerate() {
        let face = embedding(number as f32 * 0.3);
        Backend::add_many(&local, &[(name, NewFace::new(&face))]).unwrap();
    }
    assert_eq!(local.db().store.snapshot(|snapshot| snapshot.state()).unwrap().persons, 5);
}

/// What everybody must see, whichever way it is opened.
fn check(gallery: &Gallery) {
    let people: Vec<(i64, String, usize)> = gallery.persons().unwrap().into_iter().map(|p| (p.id.0, p.name, p.faces)).collect();
    assert_eq!(people, [(2, NFC.into(), 3), (1, "Bo".into(), 1), (4, "Cy Lee".into(), 1)]);
    assert_eq!((gallery.stats().unwrap().persons, gallery.stats().unwrap().faces), (3, 5));
    for name in [NFD, NFC, " Andr\u{e9}\u{a0}", "Andr\u{e9}\u{200b}"] {
        assert_eq!(gallery.person(name).unwrap().id, PersonId(2));
        assert_eq!(gallery.faces(name).unwrap().iter().map(|face| face.id.0).collect::<Vec<_>>(), [2, 3, 5]);
        let filter = SearchFilter::new().persons([name]);
        let found = gallery.search_among(&[embedding(0.0)], 9, &filter).unwrap().remove(0);
        assert_eq!(found.iter().map(|found| found.face.0).collect::<Vec<_>>(), [2, 3, 5]);
    }
    // Their faces are one person's: nobody is the other's runner-up.
    let found = gallery.identify(&embedding(0.6), &DecisionOptions::new(0.4)).unwrap();
    assert_eq!((found.name.as_deref(), found.person), (Some(NFC), Some(PersonId(2))));
    assert_eq!(found.candidates.iter().filter(|candidate| candidate.name == NFC).count(), 1);
    assert_eq!(gallery.person_by_id(PersonId(2)).unwrap().map(|p| p.faces), Some(3));
    assert_eq!(gallery.verify().unwrap().problems, Vec::<String>::new());
    let mut out = Vec::new();
    assert_eq!(gallery.export_person(NFD, &mut out).unwrap(), 3);
    out.clear();
    assert_eq!(gallery.export(&mut out).unwrap(), 5);
    let header: serde_json::Value = serde_json::from_slice(out.split(|b| *b == b'\n').next().unwrap()).unwrap();
    assert_eq!(header["persons"], 3);
}

#[test]
fn one_name_in_several_spellings_is_one_person_for_readers_and_becomes_one_for_good() {
    for key in [None, Some(GalleryKey::bytes([7; 32]))] {
        let folder = tempfile::tempdir().unwrap();
        let mut options = GalleryOptions::default().actor("tester");
        options.key = key;
        old(folder.path(), &options);
        let reading = || Gallery::open_any(folder.path(), options.clone().read_only(true)).unwrap();
        let early = reading();
        check(&early);
        assert_eq!(early.audit(0, 99).unwrap().len(), 6, "readers change nothing");

        let gallery = Gallery::open_any(folder.path(), options.clone()).unwrap();
        check(&gallery);
        check(&early);
        let log = gallery.audit(6, 99).unwrap();
        let log: Vec<_> = log.iter().map(|entry| (entry.action.as_str(), &entry.persons[..], &entry.faces[..])).collect();
        let ids = |ids: &[i64]| ids.iter().copied().map(PersonId).collect::<Vec<_>>();
        let faces = [3, 5].map(FaceId);
        assert_eq!(log, [("merge", &ids(&[2, 3, 5])[..], &faces[..]), ("rename", &ids(&[4])[..], &[][..])]);
        // Names go on being found, renamed and removed in any spelling.
        assert_eq!(gallery.add(NFD, NewFace::new(&embedding(2.0))).unwrap().0, 6);
        gallery.rename(NFD, "Jose\u{301}").unwrap();
        assert_eq!(gallery.remove_person("Jos\u{e9}").unwrap(), 4);
        drop(gallery);

        let again = Gallery::open_any(folder.path(), options.clone()).unwrap();
        assert_eq!(again.audit(0, 99).unwrap().len(), 11, "once");
        assert_eq!(again.verify().unwrap().problems, Vec::<String>::new());
    }
}

#[test]
fn a_gallery_of_format_1_is_united_too() {
    let folder = tempfile::tempdir().unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/gallery-1/gallery.db");
    std::fs::copy(fixture, folder.path().join("gallery.db")).unwrap();
    let name = "Ana Mari\u{301}a";
    // Format 1 has no marks: a row with its checksum is whole.
    crate::gallery::store::rewrite_name_for_tests(folder.path(), 2, |created_ms| {
        let row = PersonRow { row: 2, id: PersonId(2), name, created_ms, mark: 0 };
        (name.into(), row.checksum())
    });
    let names = |gallery: &Gallery| gallery.persons().unwrap().into_iter().map(|p| (p.name, p.faces)).collect::<Vec<_>>();
    let expected = [("Ana María".to_owned(), 3), ("Cy".to_owned(), 1)];
    assert_eq!(names(&Gallery::open_any(folder.path(), GalleryOptions::default().read_only(true)).unwrap()), expected);
    let gallery = Gallery::open_any(folder.path(), GalleryOptions::default()).unwrap();
    assert_eq!(names(&gallery), expected);
    let log = gallery.audit(0, 9).unwrap();
    assert_eq!(log.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>(), ["migrate", "merge"]);
    assert_eq!(gallery.verify().unwrap().problems, Vec::<String>::new());
}

#[test]
fn no_door_lets_a_name_in_twice() {
    let folder = tempfile::tempdir().unwrap();
    let gallery = Gallery::open(folder.path(), &model(), GalleryOptions::default()).unwrap();
    let (one, other) = (embedding(0.0), embedding(1.0));
    gallery.add_many(&[(NFD, NewFace::new(&one)), (NFC, NewFace::new(&other)), ("  Andr\u{e9} ", NewFace::new(&embedding(2.0)))]).unwrap();
    assert_eq!(gallery.persons().unwrap().len(), 1);
    gallery.add("Bo", NewFace::new(&embedding(1.5))).unwrap();
    for error in [
        gallery.rename("Bo", NFD).unwrap_err(),
        gallery.merge(NFD, NFC).unwrap_err(),
        gallery.split(NFC, &[FaceId(1)], NFD).unwrap_err(),
        gallery.add("Jos\u{fffd}", NewFace::new(&one)).unwrap_err(),
        gallery.rename("Bo", "\u{200b}").unwrap_err(),
        gallery.rename("Bo", "\u{1b}[2J").unwrap_err(),
    ] {
        assert_eq!(error.kind().code(), "invalid_argument", "{error}");
    }
    assert_eq!(gallery.split(NFD, &[FaceId(1)], "Zoe\u{308}").unwrap(), 1);
    assert_eq!(gallery.merge("Zo\u{eb}", NFD).unwrap(), 1);
    // An export of an older version.
    let mut out = Vec::new();
    gallery.export(&mut out).unwrap();
    let text = String::from_utf8(out).unwrap().replace(NFC, NFD);
    let report = gallery.import(&mut text.as_bytes()).unwrap();
    assert_eq!((report.persons, report.faces, report.duplicates), (0, 0, 4));
    assert_eq!(gallery.remove_person(NFD).unwrap(), 3);
}
