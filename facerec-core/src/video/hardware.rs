//! Decoding on a device.

use super::ffmpeg::util::frame::Video as AvFrame;
use super::ffmpeg::{Error as AvError, codec, failed, ffi};
use crate::error::{Error, Result};

/// Decodes on the named device (`vaapi`, `cuda`, `videotoolbox`, `d3d11va`, ...). FFmpeg's default choice of pixel format
/// takes the device's once it is set.
pub(super) fn use_hardware(context: &mut codec::Context, name: &str) -> Result<()> {
    let absent = |reason: String| unavailable(name, reason);
    let c_name = std::ffi::CString::new(name).map_err(|_| absent("its name has a zero byte".into()))?;
    // SAFETY: the name is a C string that lives through the call; the device reference that FFmpeg makes is handed to the
    // codec context, which owns and releases it.
    #[allow(unsafe_code)]
    unsafe {
        let kind = ffi::av_hwdevice_find_type_by_name(c_name.as_ptr());
        if kind == ffi::AVHWDeviceType::AV_HWDEVICE_TYPE_NONE {
            return Err(absent("FFmpeg knows no such device; try vaapi, cuda, videotoolbox, d3d11va or qsv".into()));
        }
        let mut device = std::ptr::null_mut();
        let code = ffi::av_hwdevice_ctx_create(&mut device, kind, std::ptr::null(), std::ptr::null_mut(), 0);
        if code < 0 {
            return Err(absent(format!("it cannot be opened on this machine: {}", AvError::from(code))));
        }
        (*context.as_mut_ptr()).hw_device_ctx = device;
    }
    Ok(())
}

/// A frame in the device's memory brought to ours. FFmpeg quietly decodes in software what the device cannot, which nobody asked for.
pub(super) fn from_hardware(frame: &AvFrame, name: &str, codec: &str) -> Result<AvFrame> {
    // SAFETY: both frames are live; FFmpeg allocates the target's buffers and copies the frame's properties.
    #[allow(unsafe_code)]
    unsafe {
        if (*frame.as_ptr()).hw_frames_ctx.is_null() {
            return Err(unavailable(name, format!("it does not decode this kind of `{codec}`")));
        }
        let mut copy = AvFrame::empty();
        let code = ffi::av_hwframe_transfer_data(copy.as_mut_ptr(), frame.as_ptr(), 0);
        if code < 0 {
            return Err(failed("a frame cannot be fetched from the device", &AvError::from(code)));
        }
        ffi::av_frame_copy_props(copy.as_mut_ptr(), frame.as_ptr());
        Ok(copy)
    }
}

fn unavailable(name: &str, reason: String) -> Error {
    Error::DeviceUnavailable { device: format!("video decoder {name}"), reason }
}
