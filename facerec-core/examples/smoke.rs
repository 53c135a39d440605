#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]
use facerec_core::*;
use facerec_core::model::*;
use std::sync::Arc;
use std::time::Instant;
fn res(text: &str, path: &str) -> ResolvedModel {
    let m = ModelPack::parse(text, "x").unwrap().models.remove(0);
    ResolvedModel { manifest: m, path: path.into(), sha256: "aa".into() }
}
fn main() {
    let t0 = Instant::now();
    let threads: usize = std::env::args().nth(1).unwrap_or("2".into()).parse().unwrap();
    let rt = Runtime::new(RuntimeOptions::default().threads(threads)).unwrap();
    println!("{} {:?} {:?}", rt.build_info(), rt.library(), t0.elapsed());
    let lic = r#"licence = { name = "x", url = "x", commercial = true }"#;
    let scrfd = res(&format!("schema=1\nname=\"a\"\n[[model]]\nid=\"scrfd\"\ntask=\"detect\"\nfile=\"a\"\n{lic}\ninput={{size=[640,640],dynamic=true,mean=[127.5,127.5,127.5],scale=0.0078125}}\ndetect={{head=\"scrfd\",strides=[8,16,32]}}"), "/work/shared/models/scrfd_2.5g_bnkps.onnx");
    let yunet = res(&format!("schema=1\nname=\"a\"\n[[model]]\nid=\"yunet\"\ntask=\"detect\"\nfile=\"a\"\n{lic}\ninput={{size=[640,640],dynamic=true,channels=\"bgr\"}}\ndetect={{head=\"yunet\",strides=[8,16,32]}}"), "/work/shared/models/yunet_2026may.onnx");
    let edge = res(&format!("schema=1\nname=\"a\"\n[[model]]\nid=\"edge\"\ntask=\"embed\"\nfile=\"a\"\n{lic}\ninput={{size=[112,112],batch=0,mean=[127.5,127.5,127.5],scale=0.00784313725}}\nembed={{dim=512}}"), "/work/shared/models/edgeface_xs_dequant.onnx");
    let emb = Arc::new(Embedder::from_file(&rt, &edge).unwrap());
    for (n, m) in [("scrfd", &scrfd), ("yunet", &yunet)] {
        let det = Arc::new(Detector::from_files(&rt, m, None, DetectOptions::default()).unwrap());
        let an = Analyzer::new(det.clone(), emb.clone());
        for f in ["groups/t1.jpg", "groups/solvay_conference_1927.png", "face_recognition/examples/obama.jpg"] {
            let t = Instant::now();
            let im = Image::open(format!("/work/shared/data/photos/{f}")).unwrap();
            let td = t.elapsed();
            let faces = an.embed(&im).unwrap();
            let mut times = vec![]; let mut dt = vec![];
            for _ in 0..7 { let t = Instant::now(); an.embed(&im).unwrap(); times.push(t.elapsed()); let t = Instant::now(); det.detect(&im).unwrap(); dt.push(t.elapsed()); }
            times.sort(); dt.sort();
            println!("{n} {f} {}x{} faces {} decode {td:?} embed {:?} detect {:?}", im.width(), im.height(), faces.len(), times[3], dt[3]);
            for fc in faces.iter().take(3) { println!("  {:?} {:?}", fc.detection, fc.quality.unwrap().score); }
        }
    }
}
