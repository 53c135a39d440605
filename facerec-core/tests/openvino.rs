//! The provider path, proven with the one provider that runs on a machine without a GPU: OpenVINO on the CPU.
//!
//! Its library comes from the Python package `onnxruntime-openvino` (`scripts/setup.sh --tests` puts it into
//! `.facerec/openvino`) and needs a process of its own, since a process can load one ONNX Runtime only.
#![allow(clippy::print_stderr)] // what was skipped and what was measured is said aloud
#![cfg(feature = "openvino")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use facerec_core::{Device, Engine, EngineBuilder, Image, Runtime, RuntimeOptions};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn library() -> Option<PathBuf> {
    let folder = std::env::var_os("FACEREC_TEST_OPENVINO").map_or_else(|| root().join(".facerec/openvino"), PathBuf::from);
    folder.is_dir().then_some(folder)
}

fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("FACEREC_SHARED").map_or_else(|| root().join("../shared"), PathBuf::from);
    folder.is_dir().then_some(folder)
}

fn median(mut run: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..9)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

#[test]
fn openvino_gives_the_answers_of_the_cpu_and_other_devices_fail_loudly() {
    let (Some(library), Some(shared)) = (library(), shared()) else {
        eprintln!("SKIPPED: needs .facerec/openvino (scripts/setup.sh --tests) and ../shared");
        return;
    };
    let builder = || -> EngineBuilder {
        let models = Engine::builder().model_folder(shared.join("models")).detector("scrfd-2.5g").embedder("edgeface-xs");
        models.runtime_library(&library).threads(2)
    };
    let cpu = builder().build().expect("the plain CPU of the same library");
    let openvino = builder().device(Device::OpenVino("CPU".into())).build().expect("OpenVINO on the CPU");
    assert_eq!(openvino.runtime().device().to_string(), "openvino:CPU");
    let auto = Runtime::new(RuntimeOptions::default().device(Device::Auto)).expect("auto");
    assert_eq!(auto.device().to_string(), "openvino:CPU", "auto says what it chose");

    let photo = Image::open(shared.join("data/photos/groups/t1.jpg")).expect("t1.jpg");
    let (expected, got) = (cpu.embed(&photo).expect("cpu"), openvino.embed(&photo).expect("openvino"));
    assert_eq!(expected.len(), 6);
    assert_eq!(got.len(), expected.len());
    for (a, b) in expected.iter().zip(&got) {
        let side = a.detection.rect.area().sqrt();
        assert!((a.detection.score - b.detection.score).abs() < 1e-3);
        for (p, q) in a.detection.landmarks.0.iter().zip(&b.detection.landmarks.0) {
            assert!(p.distance(*q) < 1e-3 * side, "{p:?} {q:?}");
        }
        let (a, b) = (a.embedding.as_ref().expect("embedded"), b.embedding.as_ref().expect("embedded"));
        assert!(a.similarity(b).expect("same model") > 1.0 - 1e-3);
    }
    let times = [&cpu, &openvino].map(|engine| median(|| drop(engine.detector().detect(&photo).expect("detect"))));
    eprintln!("scrfd-2.5g on t1.jpg, 2 threads: cpu {:?}, openvino {:?}", times[0], times[1]);

    for device in [Device::Cuda(0), Device::TensorRt(0)] {
        let error = Runtime::new(RuntimeOptions::default().device(device)).expect_err("no GPU here");
        assert_eq!(error.kind().code(), "device_unavailable", "{error}");
        assert!(error.to_string().len() > 80, "says why: {error}");
        eprintln!("{error}");
    }
}
