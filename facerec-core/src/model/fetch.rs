/// stub
#[derive(Debug)]
pub struct FetchOptions;
/// stub
#[derive(Debug)]
pub struct FetchProgress;
