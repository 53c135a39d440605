//! A file system that does not lock files: what is said, and what works all the same. It is one to the process that is told so by a
//! library loaded before all others, which `cc` makes.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)] // what is skipped is said aloud

mod gallery_vectors;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use facerec_core::gallery::{DecisionOptions, Gallery, GalleryOptions, NewFace};
use gallery_vectors::{embedding, model};

const FOLDER: &str = "FACEREC_TEST_NO_LOCKS";

/// `flock` locks whole files for us, `fcntl` parts of them for SQLite.
const WITHOUT_LOCKS: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
static int refuses(const char *which) {
    const char *text = getenv(which);
    if (text == NULL) return 0;
    errno = atoi(text);
    return 1;
}
int flock(int fd, int operation) {
    int (*next)(int, int) = (int (*)(int, int))dlsym(RTLD_NEXT, "flock");
    return refuses("NO_FLOCK") ? -1 : next(fd, operation);
}
int fcntl64(int fd, int command, ...) {
    va_list list;
    va_start(list, command);
    void *argument = va_arg(list, void *);
    va_end(list);
    int (*next)(int, int, ...) = (int (*)(int, int, ...))dlsym(RTLD_NEXT, "fcntl64");
    if ((command == F_SETLK || command == F_GETLK || command == F_SETLKW) && refuses("NO_FCNTL")) return -1;
    return next(fd, command, argument);
}
int fcntl(int fd, int command, ...) __attribute__((alias("fcntl64")));
"#;

/// ENOLCK, ENOSYS, EOPNOTSUPP.
const ERRORS: [&str; 3] = ["37", "38", "95"];

fn library(folder: &Path) -> Option<PathBuf> {
    let (source, library) = (folder.join("locks.c"), folder.join("locks.so"));
    fs::write(&source, WITHOUT_LOCKS).unwrap();
    let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).arg("-ldl").output();
    match made {
        Ok(made) => {
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
            Some(library)
        }
        Err(error) => {
            eprintln!("SKIPPED: no C compiler `cc` to take the locks away: {error}");
            None
        }
    }
}

/// In a process without locks: opens the gallery for writing, for reading, and says what came of it.
fn try_to_open(folder: &Path) {
    let written = Gallery::open(folder, &model(), GalleryOptions::default());
    match written.and_then(|gallery| gallery.add("ben", NewFace::new(&embedding(2)))) {
        Ok(_) => eprintln!("WRITES"),
        Err(error) => eprintln!("WRITES NOT {} {error}", error.kind().code()),
    }
    let read = Gallery::open(folder, &model(), GalleryOptions::default().read_only(true));
    match read.and_then(|gallery| gallery.identify(&embedding(1), &DecisionOptions::new(0.5))) {
        Ok(decision) => eprintln!("READS {:?}", decision.name),
        Err(error) => eprintln!("READS NOT {} {error}", error.kind().code()),
    }
}

#[test]
fn what_is_missing_is_said_and_what_to_do() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return try_to_open(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let Some(library) = library(folder.path()) else { return };
    let gallery = folder.path().join("gallery");
    Gallery::open(&gallery, &model(), GalleryOptions::default()).unwrap().add("ana", NewFace::new(&embedding(1))).unwrap();
    let without = |which: &str, error: &str, gallery: &Path| {
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args(["--exact", "what_is_missing_is_said_and_what_to_do", "--nocapture"]);
        let output = again.env(FOLDER, gallery).env("LD_PRELOAD", &library).env(which, error).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    for error in ERRORS {
        let said = without("NO_FLOCK", error, &gallery);
        assert!(said.contains("WRITES NOT io cannot lock"), "{said}");
        assert!(said.contains("does not lock files") && said.contains("local disk") && said.contains("PostgreSQL"), "{said}");
        assert!(said.contains(&format!("os error {error}")) && said.contains("READS Some(\"ana\")"), "{said}");
        // A new gallery leaves nothing that looks like one.
        let new = folder.path().join(format!("new {error}"));
        let said = without("NO_FLOCK", error, &new);
        assert!(said.contains("WRITES NOT io cannot lock") && said.contains("there is no gallery"), "{said}");
        assert!(!new.join("gallery.db").exists());
    }
    // SQLite takes ENOLCK for a lock that somebody else has.
    for error in &ERRORS[1..] {
        let said = without("NO_FCNTL", error, &gallery);
        assert!(said.contains("WRITES NOT io") && said.contains("does not lock files"), "{said}");
    }
    assert!(without("NO_OTHER", "0", &gallery).contains("WRITES\n"), "the library itself is in nobody's way");
}
