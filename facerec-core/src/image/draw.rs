/// stub
#[derive(Debug)] pub struct Annotation;
/// stub
#[derive(Debug)] pub enum Tone {}
/// stub
pub fn annotate() {}
