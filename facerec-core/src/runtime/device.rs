//! Where to compute, and the mapping to ONNX Runtime's execution providers.

use std::fmt;
use std::str::FromStr;

#[cfg(any(feature = "cuda", feature = "tensorrt", feature = "coreml", feature = "directml", feature = "openvino"))]
use ort::ep;
use ort::ep::ExecutionProviderDispatch;
use ort::session::Session;

use super::environment::Loaded;
use crate::error::{Error, Result};

/// Where to compute. All but the CPU need their Cargo feature and an ONNX Runtime library built for them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Device {
    /// The first that works of CUDA, CoreML, DirectML, OpenVINO, CPU, among those compiled in;
    /// [`super::Runtime::device`] says which.
    Auto,
    /// The processor.
    #[default]
    Cpu,
    /// An NVIDIA GPU, by index.
    Cuda(u32),
    /// An NVIDIA GPU through TensorRT, by index. The first run builds an engine, which takes minutes.
    TensorRt(u32),
    /// Apple's CoreML.
    CoreMl,
    /// A GPU through DirectML on Windows, by index.
    DirectMl(u32),
    /// Intel's OpenVINO on the device it calls by this name: `CPU`, `GPU`, `NPU`.
    OpenVino(String),
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::TensorRt(index) => write!(f, "tensorrt:{index}"),
            Self::CoreMl => f.write_str("coreml"),
            Self::DirectMl(index) => write!(f, "directml:{index}"),
            Self::OpenVino(name) => write!(f, "openvino:{name}"),
        }
    }
}

impl FromStr for Device {
    type Err = Error;

    /// Reads `cpu`, `cuda`, `cuda:1`, `tensorrt`, `coreml`, `directml`, `openvino`, `openvino:GPU` or `auto`.
    fn from_str(text: &str) -> Result<Self> {
        let (name, suffix) = text.split_once(':').map_or((text, None), |(name, suffix)| (name, Some(suffix)));
        let index = || suffix.map_or(Ok(0), str::parse::<u32>).ok();
        let device = match name {
            "auto" if suffix.is_none() => Some(Self::Auto),
            "cpu" if suffix.is_none() => Some(Self::Cpu),
            "cuda" => index().map(Self::Cuda),
            "tensorrt" => index().map(Self::TensorRt),
            "coreml" if suffix.is_none() => Some(Self::CoreMl),
            "directml" => index().map(Self::DirectMl),
            "openvino" => Some(Self::OpenVino(suffix.unwrap_or("CPU").to_ascii_uppercase())),
            _ => None,
        };
        let expected = "expected cpu, cuda[:N], tensorrt[:N], coreml, directml[:N], openvino[:NAME] or auto";
        device.ok_or_else(|| Error::argument("device", format!("{expected}, got `{text}`")))
    }
}

impl Device {
    /// The Cargo feature this device needs, and whether this build has it.
    fn feature(&self) -> (&'static str, bool) {
        match self {
            Self::Auto | Self::Cpu => ("", true),
            Self::Cuda(_) => ("cuda", cfg!(feature = "cuda")),
            Self::TensorRt(_) => ("tensorrt", cfg!(feature = "tensorrt")),
            Self::CoreMl => ("coreml", cfg!(feature = "coreml")),
            Self::DirectMl(_) => ("directml", cfg!(feature = "directml")),
            Self::OpenVino(_) => ("openvino", cfg!(feature = "openvino")),
        }
    }

    /// Names of the devices compiled into this build, for reports.
    pub fn compiled_in() -> Vec<&'static str> {
        let all = [Self::Cuda(0), Self::TensorRt(0), Self::CoreMl, Self::DirectMl(0), Self::OpenVino("CPU".into())];
        std::iter::once("cpu").chain(all.iter().map(Self::feature).filter(|(_, on)| *on).map(|(name, _)| name)).collect()
    }

    /// The execution provider to register, `None` for the CPU. Registration errors are reported, not swallowed.
    #[cfg_attr(not(feature = "openvino"), allow(unused_variables))] // only OpenVINO takes the thread count here
    #[allow(unreachable_code)] // without any device feature every arm returns
    pub(super) fn provider(&self, threads: usize) -> Option<ExecutionProviderDispatch> {
        let provider: ExecutionProviderDispatch = match self {
            #[cfg(feature = "cuda")]
            Self::Cuda(n) => ep::CUDA::default().with_device_id(i32::try_from(*n).unwrap_or(i32::MAX)).build(),
            #[cfg(feature = "tensorrt")]
            Self::TensorRt(n) => ep::TensorRT::default().with_device_id(i32::try_from(*n).unwrap_or(i32::MAX)).build(),
            #[cfg(feature = "coreml")]
            Self::CoreMl => ep::CoreML::default().build(),
            #[cfg(feature = "directml")]
            Self::DirectMl(n) => ep::DirectML::default().with_device_id(i32::try_from(*n).unwrap_or(i32::MAX)).build(),
            // Full precision: the answers must be those of the CPU.
            #[cfg(feature = "openvino")]
            Self::OpenVino(name) => ep::OpenVINO::default().with_device_type(name).with_num_threads(threads).with_precision("FP32").build(),
            // The CPU, and devices that are not compiled in: `probe` has refused those.
            _ => return None,
        };
        Some(provider.error_on_failure())
    }
}

/// Checks that `wanted` can be used; for `Auto`, finds the first device that can.
pub(super) fn choose(loaded: &Loaded, wanted: &Device) -> Result<Device> {
    if *wanted != Device::Auto {
        return probe(loaded, wanted).map(|()| wanted.clone());
    }
    for device in [Device::Cuda(0), Device::CoreMl, Device::DirectMl(0), Device::OpenVino("CPU".into())] {
        match probe(loaded, &device) {
            Ok(()) => return Ok(device),
            Err(error) => tracing::info!(%device, %error, "auto: not this one"),
        }
    }
    Ok(Device::Cpu)
}

fn probe(loaded: &Loaded, device: &Device) -> Result<()> {
    let unavailable = |reason: String| Error::DeviceUnavailable { device: device.to_string(), reason };
    let (feature, compiled_in) = device.feature();
    if !compiled_in {
        return Err(unavailable(format!("this build lacks the Cargo feature `{feature}`; rebuild with it, or use another device")));
    }
    let Some(provider) = device.provider(1) else { return Ok(()) };
    let registered: ort::Result<()> = Session::builder(&loaded.environment)
        .and_then(|builder| builder.with_execution_providers([provider]).map(drop).map_err(ort::Error::from));
    registered.map_err(|error| {
        let library = loaded.library.as_deref().map_or_else(|| "the linked one".into(), crate::text::escape_path);
        unavailable(format!("{error}; the ONNX Runtime library in use is `{library}`"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_and_written() {
        for text in ["auto", "cpu", "cuda:0", "cuda:3", "tensorrt:0", "coreml", "directml:1", "openvino:CPU", "openvino:GPU"] {
            assert_eq!(text.parse::<Device>().expect(text).to_string(), text);
        }
        assert_eq!("cuda".parse::<Device>().expect("cuda"), Device::Cuda(0));
        for text in ["", "gpu", "cuda:x", "cpu:1", "cuda:-1"] {
            assert_eq!(text.parse::<Device>().expect_err(text).kind().code(), "invalid_argument");
        }
    }
}
