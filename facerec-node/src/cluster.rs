//! Faces that nobody has named, put together.

use facerec_core as core;
use facerec_core::Result;
use napi_derive::napi;

use crate::error::whole;

/// How faces are put together.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct ClusterOptions {
    /// Mean similarity from which large clusters are one person, -1 to 1. Default `engine.identifyThreshold`. Lower mixes people,
    /// higher leaves a person in several clusters.
    pub threshold: Option<f64>,
    /// How much more alike two single faces must be, 0 to 1. Default what the embedder needs for one decade fewer false matches.
    pub strict_step: Option<f64>,
    /// Smallest cluster that is reported. Default 1.
    pub min_size: Option<f64>,
}

impl ClusterOptions {
    pub(crate) fn into_core(self, engine: &core::Engine) -> Result<core::ClusterOptions> {
        let mut options = engine.cluster_options()?;
        options.threshold = self.threshold.map_or(options.threshold, |threshold| threshold as f32);
        options.strict_step = self.strict_step.map_or(options.strict_step, |step| step as f32);
        if let Some(size) = self.min_size {
            options.min_size = whole("minSize", size)? as usize;
        }
        Ok(options)
    }
}

/// Faces of, most likely, one person.
#[napi(object, object_from_js = false)]
pub struct Cluster {
    /// Positions in the array that was given, ascending.
    pub members: Vec<f64>,
    /// The one most like all the others.
    pub typical: f64,
    /// Mean similarity of two members, -1 to 1; 1 for a single face.
    pub cohesion: f64,
}

impl From<core::Cluster> for Cluster {
    fn from(cluster: core::Cluster) -> Self {
        let members = cluster.members.into_iter().map(|member| member as f64).collect();
        Self { members, typical: cluster.typical as f64, cohesion: cluster.cohesion.into() }
    }
}
