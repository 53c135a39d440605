#![allow(clippy::unwrap_used, clippy::print_stdout)]
use facerec_core::face::{Embedding, ModelKey};
use facerec_core::gallery::{Gallery, GalleryOptions, IndexKind, NewFace};
use std::fs::File;
use std::io::{BufReader, Read};
use std::sync::Arc;
use std::time::Instant;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let model = Arc::new(ModelKey { id: "bench".into(), hash: "00".into() });
    let folder = std::path::Path::new(&a[1]);
    let kind: IndexKind = a[2].parse().unwrap();
    let faces = 1_000_000;
    let new = !folder.exists();
    let t = Instant::now();
    let gallery = Gallery::open(folder, &model, GalleryOptions::default().index(kind)).unwrap();
    println!("open {:?}", t.elapsed());
    let mut file = BufReader::new(File::open("target/kinds/faces.f32").unwrap());
    let mut read = |rows: usize| -> Vec<Embedding> {
        let mut bytes = vec![0u8; rows * 2048];
        file.read_exact(&mut bytes).unwrap();
        let values: Vec<f32> = bytes.as_chunks().0.iter().map(|&v| f32::from_le_bytes(v)).collect();
        values.chunks_exact(512).map(|row| Embedding::new(Arc::clone(&model), row.to_vec()).unwrap()).collect()
    };
    if new {
        let mut done = 0;
        while done < faces {
            let part = read(50_000);
            let names: Vec<String> = (done..done + part.len()).map(|i| format!("person {}", i / 5)).collect();
            let new: Vec<_> = part.iter().zip(&names).map(|(v, n)| (n.as_str(), NewFace::new(v))).collect();
            gallery.add_many(&new).unwrap();
            done += part.len();
        }
        println!("filled {:?}", t.elapsed());
        gallery.compact().unwrap();
        println!("compacted {:?}", t.elapsed());
        return;
    }
    let q = read(200);
    for round in 0..2 {
        let t = Instant::now();
        for e in &q {
            gallery.search(e, 5).unwrap();
        }
        println!("search {:?}", t.elapsed() / 200);
        let t = Instant::now();
        gallery.person("person 150000").unwrap();
        println!("person {:?}", t.elapsed());
        let t = Instant::now();
        gallery.faces("person 150000").unwrap();
        println!("faces {:?}", t.elapsed());
        let t = Instant::now();
        gallery.add("new one", NewFace::new(&q[0])).unwrap();
        println!("add {:?}", t.elapsed());
        let t = Instant::now();
        gallery.remove_person("new one").unwrap();
        println!("remove {:?}", t.elapsed());
        let t = Instant::now();
        gallery.rename(&format!("person {}", 10 + round), &format!("someone {round}")).unwrap();
        println!("rename {:?}", t.elapsed());
        let t = Instant::now();
        gallery.merge(&format!("person {}", 20 + round), &format!("person {}", 30 + round)).unwrap();
        println!("merge {:?}", t.elapsed());
        let t = Instant::now();
        gallery.stats().unwrap();
        println!("stats {:?}", t.elapsed());
        let t = Instant::now();
        gallery.persons().unwrap();
        println!("persons {:?}", t.elapsed());
    }
}
