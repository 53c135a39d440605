//! Folders as people have them: what is taken, what is passed over, and why.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)] // what is skipped is said aloud

use std::fs;
use std::path::{Path, PathBuf};

use facerec_core::ErrorKind;
use facerec_core::folder::{MediaFile, PassedOver, PassedOverReason, media, people};
use tempfile::TempDir;

const JPEG: &[u8] = b"\xFF\xD8\xFF\xE0 it begins like a photo";
const MP4: &[u8] = b"\0\0\0\x18ftypisom and so on";

/// A folder with these files in it; a name that ends with a slash is an empty folder.
fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = folder.path().join(name);
        if name.ends_with('/') {
            fs::create_dir_all(path).unwrap();
        } else {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }
    folder
}

fn names(root: &Path, paths: &[PathBuf]) -> Vec<String> {
    paths.iter().map(|path| path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/")).collect()
}

/// The photos of everybody, below the folder.
fn enrolled(root: &Path) -> (Vec<String>, Vec<(&'static str, usize)>) {
    let found = people(root).unwrap();
    assert!(found.unreadable.is_empty(), "{:?}", found.unreadable);
    let photos: Vec<PathBuf> = found.people.iter().flat_map(|person| person.photos.clone()).collect();
    assert!(found.people.iter().all(|person| person.photos.iter().all(|photo| photo.parent() == Some(&person.path))));
    (names(root, &photos), counts(&found.passed_over))
}

fn counts(passed: &PassedOver) -> Vec<(&'static str, usize)> {
    let some = PassedOverReason::ALL.into_iter().filter(|&reason| passed.count(reason) > 0);
    some.map(|reason| (reason.code(), passed.count(reason))).collect()
}

fn found(root: &Path) -> (Vec<String>, Vec<(&'static str, usize)>) {
    let found = media(root).unwrap();
    assert!(found.unreadable.is_empty(), "{:?}", found.unreadable);
    let paths: Vec<PathBuf> = found.files.iter().map(|file| file.path().to_path_buf()).collect();
    (names(root, &paths), counts(&found.passed_over))
}

#[test]
fn what_systems_and_photo_programs_leave_behind_is_nobody_and_no_photo() {
    let root = folder(&[
        ("Ana/p1.jpg", JPEG),
        ("Ana/._p1.jpg", JPEG),
        ("Ana/.DS_Store", b"Bud1"),
        ("Ana/Thumbs.db", JPEG),
        ("Ana/p1.xmp", b"<x:xmpmeta>"),
        ("Ana/p1.THM", JPEG),
        ("Ana/@eaDir/p1.jpg/SYNOPHOTO_THUMB_XL.jpg", JPEG),
        ("Ana/.thumbnails/p1.jpg", JPEG),
        ("Ana/.secret.jpg", JPEG),
        ("@eaDir/x.jpg", JPEG),
        ("#recycle/x.jpg", JPEG),
        ("lost+found/x.jpg", JPEG),
        ("__MACOSX/Ana/p1.jpg", JPEG),
        (".Trash-1000/files/x.jpg", JPEG),
        (".git/x.jpg", JPEG),
        ("$RECYCLE.BIN/x.jpg", JPEG),
        ("desktop.ini", b"[x]"),
        (".drafts/x.jpg", JPEG),
    ]);
    assert_eq!(enrolled(root.path()), (vec!["Ana/p1.jpg".into()], vec![("system_file", 15), ("hidden", 2)]));
    assert_eq!(found(root.path()), (vec!["Ana/p1.jpg".into()], vec![("system_file", 15), ("hidden", 2)]));
}

#[test]
fn pictures_are_told_by_their_ending_and_then_by_their_content() {
    let root = folder(&[
        ("Ana/a.JPG", JPEG),
        ("Ana/b.jfif", JPEG),
        ("Ana/c.JPE", JPEG),
        ("Ana/d.jif", JPEG),
        ("Ana/e", JPEG),
        ("Ana/f.jpg~", JPEG),
        ("Ana/g.jpg_large", JPEG),
        ("Ana/h.txt", JPEG),
        ("Ana/i.jpg", b"a text that is to fail aloud"),
        ("Ana/j.jpg", b""),
        ("Ana/k.heic", b"\0\0\0\x18ftypheic"),
        ("Ana/l.dat", b"\0\0\0\x18ftypheic"),
        ("Ana/m.NEF", b"II*\0 begins like a TIFF"),
        ("Ana/n.txt", b"BM is how this text begins, and then it goes on"),
        ("Ana/o", b""),
        ("Ana/p.mp4", MP4),
        ("Ana/q", MP4),
        ("Ana/r.pdf", b"%PDF-1.7"),
    ]);
    let taken: Vec<String> = "abcdefghijkl".chars().map(|letter| letter.to_string()).collect();
    let (photos, passed) = enrolled(root.path());
    assert_eq!(photos.iter().map(|name| name[4..5].to_string()).collect::<Vec<_>>(), taken);
    assert_eq!(passed, [("not_a_picture", 5), ("camera_raw", 1)]);
    // Where videos are looked for they are told the same way.
    let files = media(root.path()).unwrap();
    let videos = files.files.iter().filter(|file| matches!(file, MediaFile::Video(_)));
    assert_eq!(videos.map(|file| file.path().file_name().unwrap().to_str().unwrap()).collect::<Vec<_>>(), ["p.mp4", "q"]);
    assert_eq!(counts(&files.passed_over), [("not_a_picture", 3), ("camera_raw", 1)]);
    for (name, photo) in [("a.JPG", true), ("e", true), ("p.mp4", false), ("q", false), ("n.txt", false)] {
        assert_eq!(matches!(MediaFile::of(root.path().join("Ana").join(name)), MediaFile::Photo(_)), photo, "{name}");
    }
}

#[test]
fn a_photo_gets_no_name_but_that_of_its_own_folder() {
    let root = folder(&[("top.jpg", JPEG), ("Ana/a.jpg", JPEG), ("Ana/2019/b.jpg", JPEG), ("Empty/", b""), ("Text/a.txt", b"text")]);
    let passed = vec![("not_a_picture", 1), ("no_person", 1), ("nested_folder", 1), ("empty_folder", 2)];
    assert_eq!(enrolled(root.path()), (vec!["Ana/a.jpg".into()], passed));
    assert_eq!(found(root.path()).0, ["Ana/2019/b.jpg", "Ana/a.jpg", "top.jpg"]);

    let above = folder(&[("family/Ana/a.jpg", JPEG), ("x.jpg", JPEG)]);
    let nobody = people(above.path()).unwrap();
    let error = nobody.nobody("from", above.path());
    assert_eq!((nobody.people.len(), error.kind()), (0, ErrorKind::InvalidArgument));
    let said = "3 (photos outside a person's folder 1, folders below a person's 1, folders without a photo 1)";
    assert!(error.to_string().contains(said), "{error}");
}

#[test]
fn a_folder_that_is_missing_or_a_file_is_an_error() {
    let root = folder(&[("a.jpg", JPEG)]);
    for path in [root.path().join("a.jpg"), root.path().join("nothing")] {
        assert_eq!(people(&path).unwrap_err().kind(), ErrorKind::Io);
        assert_eq!(media(&path).unwrap_err().kind(), ErrorKind::Io);
    }
}

#[test]
fn folders_are_nested_as_deep_as_paths_are_long() {
    let root = tempfile::tempdir().unwrap();
    let mut path = root.path().to_path_buf();
    // A path has at most 4096 bytes.
    while path.as_os_str().len() < 3900 {
        path.push("d");
    }
    fs::create_dir_all(&path).unwrap();
    fs::write(path.join("a.jpg"), JPEG).unwrap();
    assert_eq!(found(root.path()).0.len(), 1);
}

#[cfg(unix)]
mod unix {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn links_lead_in_no_circle_and_give_nobody_a_second_name() {
        let elsewhere = folder(&[("Ben/b.jpg", JPEG), ("Ben/more/c.jpg", JPEG)]);
        let root = folder(&[("Ana/a.jpg", JPEG), ("Cai/c.jpg", JPEG)]);
        let at = |name: &str| root.path().join(name);
        symlink(elsewhere.path().join("Ben"), at("Ben")).unwrap();
        symlink(elsewhere.path().join("Ben"), at("Benjamin")).unwrap();
        symlink(elsewhere.path().join("Ben/more"), at("Cai/ben")).unwrap();
        symlink(at("Ana"), at("Anna")).unwrap();
        symlink(root.path(), at("Ana/up")).unwrap();
        symlink(root.path().parent().unwrap(), at("above")).unwrap();
        symlink("/", at("everything")).unwrap();
        symlink("itself", at("itself")).unwrap();
        symlink("nowhere", at("gone")).unwrap();
        symlink(at("Ana/a.jpg"), at("Cai/d.jpg")).unwrap();
        symlink("nowhere.jpg", at("Cai/e.jpg")).unwrap();
        symlink(elsewhere.path(), elsewhere.path().join("Ben/more/up")).unwrap();
        // A link to a photo is a photo; one that leads nowhere and is named like a photo is to fail aloud.
        let taken = ["Ana/a.jpg", "Ben/b.jpg", "Cai/c.jpg", "Cai/d.jpg", "Cai/e.jpg"];
        let (photos, passed) = enrolled(root.path());
        assert_eq!(photos, taken);
        assert_eq!(passed, [("nested_folder", 1), ("link", 8)]);
        let (photos, passed) = found(root.path());
        // `Ben/more/up` leads to a folder that was not walked yet, whose `Ben` was.
        assert_eq!(photos, ["Ana/a.jpg", "Ben/b.jpg", "Ben/more/c.jpg", "Cai/c.jpg", "Cai/d.jpg", "Cai/e.jpg"]);
        assert_eq!(passed, [("link", 9)]);
        // The folder that is named may itself be a link.
        let link = elsewhere.path().join("link");
        symlink(root.path(), &link).unwrap();
        assert_eq!(people(&link).unwrap().people.len(), 3);
    }

    #[test]
    fn pipes_are_not_opened() {
        let root = folder(&[("Ana/a.jpg", JPEG)]);
        for name in ["Ana/pipe.jpg", "Ana/pipe", "pipe.jpg"] {
            assert!(Command::new("mkfifo").arg(root.path().join(name)).status().unwrap().success());
        }
        let _socket = std::os::unix::net::UnixListener::bind(root.path().join("Ana/socket")).unwrap();
        symlink("/dev/zero", root.path().join("Ana/zero.jpg")).unwrap();
        assert_eq!(enrolled(root.path()), (vec!["Ana/a.jpg".into()], vec![("special_file", 5)]));
        assert_eq!(found(root.path()), (vec!["Ana/a.jpg".into()], vec![("special_file", 5)]));
        assert!(matches!(MediaFile::of(root.path().join("Ana/pipe")), MediaFile::Video(_)), "without looking into it");
    }

    #[test]
    fn names_of_any_bytes_are_walked() {
        let root = tempfile::tempdir().unwrap();
        let person = root.path().join(std::ffi::OsStr::from_bytes(b"Jos\xE9"));
        fs::create_dir(&person).unwrap();
        fs::write(person.join(std::ffi::OsStr::from_bytes(b"\xFF\x1B.jpg")), JPEG).unwrap();
        let found = people(root.path()).unwrap();
        assert_eq!((found.people.len(), found.people[0].photos.len(), &found.people[0].path), (1, 1, &person));
    }

    /// Root may read everything: then the test looks again, in a process that is nobody's.
    #[test]
    fn what_cannot_be_read_is_told() {
        const ROOT: &str = "FACEREC_TEST_FOLDER";
        if let Some(root) = std::env::var_os(ROOT) {
            return look(Path::new(&root));
        }
        let root = folder(&[
            ("Ana/a.jpg", JPEG),
            ("Ana/b.jpg", JPEG),
            ("Ana/c", JPEG),
            ("Ana/d.txt", JPEG),
            ("Ben/a.jpg", JPEG),
            ("Cai/a.jpg", JPEG),
            ("Cai/b", JPEG),
        ]);
        let locked = [("Ana/b.jpg", 0o0), ("Ana/c", 0o0), ("Ana/d.txt", 0o0), ("Ben", 0o0), ("Cai", 0o444)];
        let allow = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        allow(root.path(), 0o755);
        locked.iter().for_each(|(name, mode)| allow(&root.path().join(name), *mode));
        if fs::read(root.path().join("Ana/c")).is_err() {
            look(root.path());
        } else {
            let mut again = Command::new(std::env::current_exe().unwrap());
            again.args(["--exact", "unix::what_cannot_be_read_is_told", "--nocapture"]).env(ROOT, root.path()).uid(65534).gid(65534);
            match again.current_dir("/").output() {
                Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
                Err(error) => eprintln!("SKIPPED: root reads everything, and this test cannot be run as nobody: {error}"),
            }
        }
        locked.iter().for_each(|(name, _)| allow(&root.path().join(name), 0o755));
    }

    fn look(root: &Path) {
        let found = people(root).unwrap();
        let photos: Vec<PathBuf> = found.people.iter().flat_map(|person| person.photos.clone()).collect();
        // Named like photos: opening them says why not.
        assert_eq!(names(root, &photos), ["Ana/a.jpg", "Ana/b.jpg", "Cai/a.jpg"]);
        let unreadable: Vec<PathBuf> = found.unreadable.iter().map(|one| one.path.clone()).collect();
        assert_eq!(names(root, &unreadable), ["Ana/c", "Ben", "Cai/b"]);
        assert!(found.unreadable.iter().all(|one| one.error.kind() == ErrorKind::Io));
        assert_eq!(counts(&found.passed_over), [("not_a_picture", 1)]);
        let unreadable: Vec<PathBuf> = media(root).unwrap().unreadable.iter().map(|one| one.path.clone()).collect();
        assert_eq!(names(root, &unreadable), ["Ana/c", "Ben", "Cai/b"]);
    }
}
