//! JPEG by libjpeg-turbo, in mozjpeg's copy: the only user of `mozjpeg_sys`.
//!
//! Every structure that the standard's sequential and progressive modes allow is decoded: sampling, scans, restarts,
//! arithmetic coding. Warnings of the library are kept: where pixels were made up for data that are missing or damaged,
//! there is an error instead of a picture.

#![allow(unsafe_code)] // a C library; the reason for each block stands beside it

use std::any::Any;
use std::ffi::{CStr, c_char, c_int, c_long, c_ulong};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;

use image::{ImageFormat, RgbImage};
use mozjpeg_sys as ffi;

use super::orientation::Metadata;
use super::{DecodeLimits, check, cut_off, damaged, memory_exceeded};
use crate::error::{Error, Result};

/// How often a picture of the largest size allowed may be gone over; smaller ones proportionally more often. A usual
/// progressive file has 10 scans, and a scan of a few bytes costs as much time as one of megabytes.
const SCANS: u64 = 64;
/// 64 coefficients, 14 bits and 4 components sent one by one need no more scans.
const MAX_SCANS: u64 = 4_000;
/// The library's warning of a bad arithmetic code: the crate's list of numbers is that of a build without arithmetic coding.
const ARITH_BAD_CODE: c_int = 126;
/// The marker of EXIF and XMP.
const APP1: c_int = 0xE1;

/// What the components of a JPEG are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colours {
    /// What the JPEG's own markers say.
    Marked,
    /// Red, green and blue, whatever its markers say: in a TIFF its tags have the word.
    Rgb,
    /// Luma and two chroma components, likewise.
    YCbCr,
}

/// The pixels as they are stored, not turned, and what the file says about turning them.
pub(super) fn decode(bytes: &[u8], colours: Colours, limits: &DecodeLimits) -> Result<(RgbImage, Metadata)> {
    let mut decoder = Decoder::new(bytes);
    // The library's errors unwind through its C frames, which are built for that (`-fexceptions`).
    let decoded = catch_unwind(AssertUnwindSafe(|| decoder.run(colours, limits)));
    match decoded {
        Ok(decoded) => decoded,
        Err(payload) => Err(decoder.translate(payload, limits)),
    }
}

/// Why the library gave up.
struct Stop {
    code: c_int,
    /// The message's first parameter.
    value: c_int,
    text: String,
}

/// What the library said on the way.
#[derive(Default)]
struct Report {
    /// The file ended before its end marker.
    no_end: bool,
    /// Whether the data are coded arithmetically: the decoder takes zeros for what is missing and does not say so.
    arithmetic: bool,
    /// Data of the picture are missing or wrong, so that pixels were made up.
    damage: Option<String>,
    scans: u64,
    max_scans: Option<u64>,
}

/// One decompression. In boxes, for the library keeps pointers to all three.
struct Decoder<'a> {
    info: Box<ffi::jpeg_decompress_struct>,
    errors: Box<ffi::jpeg_error_mgr>,
    report: Box<Report>,
    bytes: &'a [u8],
}

impl<'a> Decoder<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        // SAFETY: both are plain C structures, for which zeroes are a value; the library fills them in.
        let (info, errors) = unsafe { (Box::new(mem::zeroed()), Box::new(mem::zeroed())) };
        Self { info, errors, report: Box::default(), bytes }
    }

    fn run(&mut self, colours: Colours, limits: &DecodeLimits) -> Result<(RgbImage, Metadata)> {
        // SAFETY: the calls come in the order of libjpeg.txt. The structures and the bytes outlive the decompression, as `self`
        // holds them, and `Drop` ends it. `mem` is set by jpeg_create_decompress.
        unsafe {
            ffi::jpeg_std_error(&mut self.errors);
            self.errors.error_exit = Some(stop);
            self.errors.emit_message = Some(note);
            self.info.common.err = ptr::addr_of_mut!(*self.errors);
            self.info.common.client_data = ptr::addr_of_mut!(*self.report).cast();
            ffi::jpeg_create_decompress(ptr::addr_of_mut!(*self.info));
            (*self.info.common.mem).max_memory_to_use = c_long::try_from(limits.max_memory()).unwrap_or(c_long::MAX);
            ffi::jpeg_mem_src(&mut self.info, self.bytes.as_ptr(), self.bytes.len() as c_ulong);
            ffi::jpeg_save_markers(&mut self.info, APP1, 0xFFFF);
            ffi::jpeg_read_header(&mut self.info, 1);
        }
        let (width, height) = (self.info.image_width, self.info.image_height);
        limits.check_sides(width, height)?;
        check("decoded image in bytes", limits.max_memory(), u64::from(width) * u64::from(height) * 3)?;
        let pixels = u64::from(width) * u64::from(height);
        self.report.max_scans = Some((SCANS.saturating_mul(limits.max_pixels) / pixels.max(1)).clamp(SCANS, MAX_SCANS));
        let metadata = self.metadata();
        match colours {
            Colours::Rgb if self.info.num_components == 3 => self.info.jpeg_color_space = ffi::J_COLOR_SPACE::JCS_RGB,
            Colours::YCbCr if self.info.num_components == 3 => self.info.jpeg_color_space = ffi::J_COLOR_SPACE::JCS_YCbCr,
            _ => {}
        }
        let image = self.pixels(width, height)?;
        self.judge()?;
        Ok((image, metadata))
    }

    fn pixels(&mut self, width: u32, height: u32) -> Result<RgbImage> {
        use ffi::J_COLOR_SPACE::{JCS_CMYK, JCS_RGB, JCS_YCCK};
        let inks = matches!(self.info.jpeg_color_space, JCS_CMYK | JCS_YCCK);
        self.info.out_color_space = if inks { JCS_CMYK } else { JCS_RGB };
        // SAFETY: after jpeg_read_header, as the library asks.
        unsafe { ffi::jpeg_start_decompress(&mut self.info) };
        let channels = if inks { 4 } else { 3 };
        if (self.info.output_width, self.info.output_height, self.info.output_components) != (width, height, channels) {
            return Err(damaged("damaged JPEG: its size changes on the way"));
        }
        let row = width as usize * 3;
        let mut data = vec![0; row * height as usize];
        let mut four = vec![0; if inks { width as usize * 4 } else { 0 }];
        for line in data.chunks_exact_mut(row) {
            let mut target = if inks { four.as_mut_ptr() } else { line.as_mut_ptr() };
            // SAFETY: a row holds output_width * output_components bytes, checked above. It is written once per call.
            if unsafe { ffi::jpeg_read_scanlines(&mut self.info, &mut target, 1) } != 1 {
                return Err(damaged("damaged JPEG: rows are missing"));
            }
            for (rgb, ink) in line.chunks_exact_mut(3).zip(four.chunks_exact(4)) {
                // Inverted, as Adobe writes it and every browser reads it: 255 is no ink.
                for (value, &colour) in rgb.iter_mut().zip(ink) {
                    *value = ((u32::from(colour) * u32::from(ink[3]) + 127) / 255) as u8;
                }
            }
        }
        let components = 0..usize::try_from(self.info.num_components).unwrap_or_default();
        let all_came = components.clone().all(|component| self.came(component));
        let whole =
            all_came && components.clone().all(|component| self.bits(component).is_none_or(|bits| bits.iter().all(|&bit| bit == 0)));
        // SAFETY: after all rows were read. Reads on to the end marker.
        unsafe { ffi::jpeg_finish_decompress(&mut self.info) };
        if !all_came || self.report.no_end && (self.report.arithmetic || !whole) {
            return Err(cut_off(ImageFormat::Jpeg, None));
        }
        RgbImage::from_raw(width, height, data).ok_or_else(|| damaged("damaged JPEG: rows are missing"))
    }

    /// How far each component came: the precision of each of its 64 coefficients (0 is the last bit, below 0 nothing), where the
    /// file is progressive. Before jpeg_finish_decompress only.
    fn bits(&self, component: usize) -> Option<&[c_int]> {
        // SAFETY: `coef_bits`, where there is one, is an array of 64 numbers for each component.
        let bits =
            unsafe { self.info.coef_bits.cast::<[c_int; ffi::DCTSIZE2]>().as_ref().map(|first| ptr::from_ref(first).add(component)) };
        bits.map(|bits| unsafe { &*bits }.as_slice())
    }

    /// Whether something came of the component. Before jpeg_finish_decompress only.
    fn came(&self, component: usize) -> bool {
        // SAFETY: `comp_info` holds `num_components` entries. A component's `quant_table` is set when its first scan starts.
        let started = unsafe { !(*self.info.comp_info.add(component)).quant_table.is_null() };
        started && self.bits(component).is_none_or(|bits| bits[0] >= 0)
    }

    /// An error where the library warned that it made up pixels.
    fn judge(&self) -> Result<()> {
        match &self.report.damage {
            Some(_) if self.report.no_end => Err(cut_off(ImageFormat::Jpeg, None)),
            Some(text) => Err(damaged(format!("damaged JPEG: {text}; copy or download the file again"))),
            None => Ok(()),
        }
    }

    fn metadata(&self) -> Metadata {
        let mut metadata = Metadata::default();
        let mut next = self.info.marker_list;
        // SAFETY: a list of the segments that were saved, with their lengths; ends with null, lives until jpeg_finish_decompress.
        while let Some(marker) = unsafe { next.as_ref() } {
            let data = match marker.data_length {
                0 => &[],
                length => unsafe { std::slice::from_raw_parts(marker.data, length as usize) },
            };
            if let Some(exif) = data.strip_prefix(b"Exif\0\0") {
                metadata.exif(exif);
            } else if let Some(xmp) = data.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0") {
                metadata.xmp(xmp);
            }
            next = marker.next;
        }
        metadata
    }

    /// The error of a decompression that was given up. A panic that is not the library's goes on.
    fn translate(&self, payload: Box<dyn Any + Send>, limits: &DecodeLimits) -> Error {
        let stop = match payload.downcast::<Stop>() {
            Ok(stop) => *stop,
            Err(other) => resume_unwind(other),
        };
        let unsupported = |what: String| Error::UnsupportedFormat { reason: format!("{what}; save it as an ordinary JPEG or PNG first") };
        match stop.code {
            ffi::JERR_NO_BACKING_STORE | ffi::JERR_OUT_OF_MEMORY => memory_exceeded(limits),
            ffi::JERR_IMAGE_TOO_BIG => {
                let actual = u64::from(self.info.image_width.max(self.info.image_height));
                Error::LimitExceeded { what: "longer side of the JPEG in pixels", limit: stop.value.max(0) as u64, actual }
            }
            ffi::JTRC_SOS => {
                let limit = self.report.max_scans.unwrap_or_default();
                Error::LimitExceeded { what: "scans of the JPEG (at least)", limit, actual: self.report.scans }
            }
            ffi::JERR_BAD_PRECISION => unsupported(format!("a JPEG of {} bits a sample", stop.value)),
            ffi::JERR_SOF_UNSUPPORTED => unsupported(match stop.value {
                0xC3 | 0xCB => "a lossless JPEG".into(),
                _ => "a hierarchical JPEG".into(),
            }),
            ffi::JERR_FRACT_SAMPLE_NOTIMPL => unsupported("a JPEG whose colour sampling is no whole fraction".into()),
            ffi::JERR_CONVERSION_NOTIMPL => {
                unsupported(format!("a JPEG of {} components that are no known colours", self.info.num_components))
            }
            _ if self.report.no_end => cut_off(ImageFormat::Jpeg, None),
            _ => damaged(format!("damaged JPEG: {}", stop.text)),
        }
    }
}

impl Drop for Decoder<'_> {
    fn drop(&mut self) {
        // SAFETY: releases what the library allocated; does nothing before jpeg_create_decompress, when `mem` is null.
        unsafe { ffi::jpeg_destroy_decompress(&mut self.info) };
    }
}

/// The library's fatal errors.
unsafe extern "C-unwind" fn stop(info: &mut ffi::jpeg_common_struct) {
    // SAFETY: `err` was set before the library was called.
    let (code, value) = unsafe { ((*info.err).msg_code, (*info.err).msg_parm._bindgen_data_[0] as c_int) };
    resume_unwind(Box::new(Stop { code, value, text: message(info) }));
}

/// The library's warnings (below zero) and traces.
unsafe extern "C-unwind" fn note(info: &mut ffi::jpeg_common_struct, level: c_int) {
    // SAFETY: `err` and `client_data` were set before the library was called, to what lives as long as the decompression;
    // nobody else holds a reference to the report while the library runs.
    let (code, value, report) =
        unsafe { ((*info.err).msg_code, (*info.err).msg_parm._bindgen_data_[0], &mut *info.client_data.cast::<Report>()) };
    match code {
        ffi::JTRC_SOF => report.arithmetic = value >= 0xC9,
        ffi::JWRN_JPEG_EOF => report.no_end = true,
        // Bytes to spare, odd versions and scans in an odd order leave the picture whole; these three do not.
        ffi::JWRN_HIT_MARKER | ffi::JWRN_HUFF_BAD_CODE | ARITH_BAD_CODE if level < 0 => {
            report.damage.get_or_insert_with(|| message(info));
        }
        ffi::JTRC_SOS => {
            report.scans += 1;
            if report.max_scans.is_some_and(|most| report.scans > most) {
                resume_unwind(Box::new(Stop { code, value: 0, text: String::new() }));
            }
        }
        _ => {}
    }
}

/// The library's message, formatted by it.
fn message(info: &mut ffi::jpeg_common_struct) -> String {
    // The library's JMSG_LENGTH_MAX.
    const LENGTH: usize = 200;
    type Declared = unsafe extern "C-unwind" fn(&mut ffi::jpeg_common_struct, &[u8; 80]);
    type Format = unsafe extern "C-unwind" fn(&mut ffi::jpeg_common_struct, *mut c_char);
    let mut buffer: [c_char; LENGTH] = [0; LENGTH];
    // SAFETY: `err` was filled in by jpeg_std_error; the crate declares the buffer too short and not written to, jerror.c writes
    // at most LENGTH bytes and ends them with a zero.
    unsafe {
        let Some(format) = (*info.err).format_message else { return String::new() };
        mem::transmute::<Declared, Format>(format)(info, buffer.as_mut_ptr());
        CStr::from_ptr(buffer.as_ptr()).to_string_lossy().into_owned()
    }
}
