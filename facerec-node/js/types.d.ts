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
export interface ReportOptions extends CallOptions {}
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


/** How good models are on one's own photos. Rates are shares, 0 to 1; what cannot be measured on so few photos is `null`. */
export interface EvaluationReport {
  /** Version of facerec. */
  facerec: string
  /** How the command was asked for the report; `null` here. */
  command: string | null
  /** People of the folder. */
  people: number
  /** Their photos. */
  photos: number
  /** How people are grouped, where that was given. */
  grouping: Grouping | null
  /** One for each engine. */
  packs: Array<PackReport>
}

/** Groups of people, as the table has them. */
export interface Grouping {
  /** The second column's name. */
  attribute: string
  /** The groups that people of the folder are in, sorted. */
  groups: Array<string>
  /** People of the folder who are in no group. */
  peopleWithout: number
  /** People of the table who are not in the folder. */
  peopleElsewhere: number
}

/** A model's file or key. */
export interface ModelName {
  /** Its id. */
  id: string
  /** Of a detector the file's sha256, of an embedder that of the file and of what shapes its input. */
  hash: string
}

/** One engine's figures. */
export interface PackReport {
  /** Its name. */
  pack: string
  /** The detector, and its landmark network where it needs one. */
  detector: Array<ModelName>
  /** The embedder. */
  embedder: ModelName
  /** Telling pairs apart. */
  verification: Verification
  /** Where the similarities lie: pairs in steps of equal width from -1 to 1. */
  histogram: { genuine: Array<number>; impostor: Array<number> }
  /** The false non-match rate when the worst photos are refused, at a false match rate of 1e-3 on all photos. */
  rejection: { threshold: number | null; byQuality: Array<RejectPoint>; byRecognisability: Array<RejectPoint> }
  /** Finding a person among others; `null` where nobody has two photos. */
  identification: SearchReport | null
  /** The same for each group. */
  groups: Array<GroupReport>
  /** The most similar pairs of different people, and the least similar ones of one person; empty without pictures. */
  worst: { impostor: Array<WorstPair>; genuine: Array<WorstPair> }
  /** Wall-clock time, milliseconds. */
  wallMs: number
}

/** How well pairs of photos are told apart. */
export interface Verification {
  /** People. */
  people: number
  /** Their photos. */
  photos: number
  /** Photos without a face that was found. */
  noFace: number
  /** Photos whose face cannot be told from others. */
  unrecognisable: number
  /** Pairs of one person; those without a face are not matched at any threshold. */
  genuinePairs: number
  /** Pairs of different people that were compared. */
  impostorPairs: number
  /** Equal error rate. */
  eer: number | null
  /** At false match rates of 1e-2, 1e-3, 1e-4 and 1e-5. */
  operatingPoints: Array<OperatingPoint>
  /** The error rates by threshold, ascending. */
  curve: Array<{ threshold: number; fmr: number; fnmr: number | null }>
}

/** The threshold for a false match rate, and what it costs. Intervals hold 95 % of the bootstrap's replicates. */
export interface OperatingPoint {
  /** The false match rate asked for. */
  fmr: number
  /** `null` where there are fewer than `1 / fmr` pairs of different people. */
  threshold: number | null
  /** Its interval. */
  thresholdInterval: [low: number, high: number] | null
  /** False non-match rate at the threshold. */
  fnmr: number | null
  /** Its interval, with the threshold chosen anew in each replicate. */
  fnmrInterval: [low: number, high: number] | null
  /** Pairs of different people that match: below 30 the rate is rough. */
  falseMatches: number | null
}

/** What is left after refusing photos. */
export interface RejectPoint {
  /** Share of the photos refused. */
  rejected: number
  /** False non-match rate of the pairs that are left. */
  fnmr: number
}

/** Searches among the first photos of all people with two and more. */
export interface SearchReport {
  /** People enrolled, with one photo each. */
  enrolled: number
  /** Searches for somebody who is enrolled. */
  mated: number
  /** Searches for somebody who is not. */
  nonMated: number
  /** Share of mated searches whose most similar face is the right person's. */
  rank1: number
  /** At false positive identification rates of 1e-2 and 1e-3. */
  openSet: Array<{ fpir: number; threshold: number | null; falsePositives: number | null; fnir: number | null }>
}

/** The figures of one group. */
export interface GroupReport {
  /** The group's name. */
  group: string
  /** Among its people, with thresholds of its own. */
  verification: Verification
  /** At the thresholds of all people. */
  atCommonThresholds: Array<{ fmrOfAll: number; threshold: number | null; fmr: number | null; fnmr: number | null }>
  /** Its people's searches among all people enrolled, at the common thresholds. */
  identification: SearchReport | null
}

/** Two photos on the wrong side. */
export interface WorstPair {
  /** Their similarity. */
  similarity: number
  /** Whose they are, and where they lie below the folder. */
  photos: [{ person: string; path: string }, { person: string; path: string }]
}
