//! What is written.

use std::time::Duration;

use facerec_core::{Frame, Image, VideoWriter};

use super::{Folder, code, frames};

#[test]
fn written_videos_can_be_read_and_appear_whole_or_not_at_all() {
    let folder = Folder::new();
    let path = folder.path("out.mp4");
    let picture = |value: u8| Image::filled(175, 143, [value, 60, 200]);
    let mut writer = VideoWriter::create(&path, 175, 143, 25.0).expect("an encoder");
    let times: Vec<Duration> = [0u64, 40, 80, 200, 240, 1000].into_iter().map(Duration::from_millis).collect();
    for (index, time) in times.iter().enumerate() {
        writer.write(&picture(index as u8 * 40), *time).expect("written");
    }
    assert_eq!(code(writer.write(&Image::filled(64, 64, [0; 3]), Duration::from_secs(2))), "dimension_mismatch");
    assert!(!path.exists(), "not before it is complete");
    writer.finish().expect("completed");
    let read: Vec<Frame> = frames(&path);
    assert_eq!(read.iter().map(Frame::time).collect::<Vec<_>>(), times);
    assert_eq!(read[0].size(), (174, 142), "even sides");
    for (index, frame) in read.iter().enumerate() {
        let image = frame.to_image().expect("converts");
        let middle = &image.data()[(70 * 174 + 80) * 3..][..3];
        assert!(middle[0].abs_diff(index as u8 * 40) < 12 && middle[2].abs_diff(200) < 12, "{middle:?}");
    }
    let mut given_up = VideoWriter::create(folder.path("gone.mp4"), 64, 64, 25.0).expect("an encoder");
    given_up.write(&Image::filled(64, 64, [9; 3]), Duration::ZERO).expect("written");
    drop(given_up);
    let left: Vec<_> = std::fs::read_dir(folder.0.path()).expect("readable").map(|e| e.expect("an entry").file_name()).collect();
    assert_eq!(left, ["out.mp4"], "half a video is not left lying about");
    assert_eq!(code(VideoWriter::create(folder.path("no/such/folder.mp4"), 64, 64, 25.0)), "io");
    assert_eq!(code(VideoWriter::create(folder.path("zero.mp4"), 0, 64, 25.0)), "invalid_argument");
}
