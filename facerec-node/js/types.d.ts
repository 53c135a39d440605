// Types of @facerec/node: below this part generated from the Rust sources, with their documentation.
/// <reference lib="esnext.disposable" />
/// <reference lib="es2018.asynciterable" />

/** A box: left, top, right and bottom edge in pixels. It may reach beyond the picture. */
export type Box = [x1: number, y1: number, x2: number, y2: number]

/** A point in pixels, origin at the top left. */
export type Point = [x: number, y: number]

/** Left eye, right eye, nose tip, left and right mouth corner, as seen in the picture. */
export type Landmarks = [leftEye: Point, rightEye: Point, nose: Point, leftMouth: Point, rightMouth: Point]

/**
 * A picture: the path of a file, the bytes of a file (JPEG, PNG, WebP, BMP, GIF or TIFF), or decoded pixels. Bytes and pixels
 * are copied when the call is made: changing them afterwards does no harm.
 */
export type ImageInput = string | Uint8Array | Pixels

/** Decoded pixels, rows tightly packed, upright. A canvas's `ImageData` is one. */
export interface Pixels {
  /** `width * height * channels` bytes. */
  data: Uint8Array | Uint8ClampedArray
  /** Width in pixels, from 1. */
  width: number
  /** Height in pixels, from 1. */
  height: number
  /** 1 grey, 3 RGB, 4 RGBA (alpha is ignored). Default: as many as `data` has bytes for. */
  channels?: 1 | 3 | 4
}

/** What every call takes. */
export interface CallOptions {
  /**
   * Aborts the call: its promise rejects at once with an `AbortError` whose `code` is `ERR_FACEREC_CANCELLED` and whose
   * `cause` is the signal's reason. Work that waits in the queue is not begun, videos and evaluations stop at the next
   * picture; one inference that runs already is finished for nothing.
   */
  signal?: AbortSignal
}

export interface AddOptions extends CallOptions {}
export interface ClusterOptions extends CallOptions {}
export interface ClusterScoreOptions extends CallOptions {}
export interface EngineOptions extends CallOptions {}
export interface EnrollOptions extends CallOptions {}
export interface GalleryOptions extends CallOptions {}
export interface IdentifyOptions extends CallOptions {}
export interface KeyOptions extends CallOptions {}
export interface ModelsOptions extends CallOptions {}
export interface SearchOptions extends CallOptions {}
export interface VideoOptions extends CallOptions {}

/** What can be kept with a face. */
export type Metadata = { [key: string]: JsonValue }

/** What JSON can express. */
export type JsonValue = string | number | boolean | null | Array<JsonValue> | { [key: string]: JsonValue }

/** How a gallery is searched: exactly, or through an index of what is stored. */
export type IndexKind = 'auto' | 'flat' | 'sq8' | 'fp16' | 'ivf' | 'hnsw'

/** Why a photo was not enrolled. */
export type RejectReason =
  | 'no_face'
  | 'several_faces'
  | 'too_small'
  | 'blurred'
  | 'extreme_pose'
  | 'bad_exposure'
  | 'unrecognisable'
  | 'not_this_person'
  | 'duplicate'

/** Why somebody was named or not. The last three are for videos only. */
export type DecisionReason =
  | 'match'
  | 'below_threshold'
  | 'unrecognisable'
  | 'ambiguous'
  | 'empty_gallery'
  | 'conflict'
  | 'seen_elsewhere'
  | 'no_evidence'

/** The `code` of every error of this package. */
export type ErrorCode =
  | 'ERR_FACEREC_CANCELLED'
  | 'ERR_FACEREC_DECODE_IMAGE'
  | 'ERR_FACEREC_DECODE_VIDEO'
  | 'ERR_FACEREC_SOURCE_LOST'
  | 'ERR_FACEREC_UNSUPPORTED_FORMAT'
  | 'ERR_FACEREC_LIMIT_EXCEEDED'
  | 'ERR_FACEREC_MODEL_NOT_FOUND'
  | 'ERR_FACEREC_CHECKSUM_MISMATCH'
  | 'ERR_FACEREC_INVALID_MANIFEST'
  | 'ERR_FACEREC_LICENCE_NOT_ACCEPTED'
  | 'ERR_FACEREC_RUNTIME_LIBRARY'
  | 'ERR_FACEREC_DEVICE_UNAVAILABLE'
  | 'ERR_FACEREC_INFERENCE'
  | 'ERR_FACEREC_DIMENSION_MISMATCH'
  | 'ERR_FACEREC_EMBEDDING_MODEL_MISMATCH'
  | 'ERR_FACEREC_GALLERY_LOCKED'
  | 'ERR_FACEREC_GALLERY_CORRUPT'
  | 'ERR_FACEREC_GALLERY_NEWER'
  | 'ERR_FACEREC_WRONG_KEY'
  | 'ERR_FACEREC_PERSON_NOT_FOUND'
  | 'ERR_FACEREC_INVALID_ARGUMENT'
  | 'ERR_FACEREC_FEATURE_DISABLED'
  | 'ERR_FACEREC_IO'
  | 'ERR_FACEREC_INTERNAL'

/** What promises reject with and methods throw. */
export interface FacerecError extends Error {
  /** What went wrong, the same in every language of facerec but for the prefix. */
  code: ErrorCode
}

export interface Sightings extends AsyncDisposable {
  /** The next sighting, as soon as it is final. */
  next(): Promise<IteratorResult<Sighting, undefined>>
  /** Ends the work and frees everything: what leaving a `for await` loop calls. */
  return(): Promise<IteratorResult<Sighting, undefined>>
  /** The sightings themselves. */
  [Symbol.asyncIterator](): this
}

export interface Gallery extends AsyncDisposable {}

