//! The people of a video: which tracklets are one person's, who that is, and when it can be said for good.

use std::time::{Duration, Instant};

use super::asked::Asked;
use super::decide::{Evidence, Spans, Verdict, settle};
use super::options::PipelineOptions;
use super::running::{DETECTIONS_PER_EMBEDDING, RunningTrack};
use super::segment::Candidate;
use super::sighting::{BestShot, Sighting, VideoSummary};
use super::tracklet::{CLEAR, Shot, Tracklet, merged};
use super::workers::{Workers, embed};
use crate::error::Result;
use crate::face::Quality;
use crate::gallery::{Decision, PersonId};
use crate::image::Image;
use crate::track::{self, Kept, RejoinOptions, Tracker, rejoin};

/// Finished tracklets that wait for their person's return, and what was said already.
#[derive(Default)]
pub(super) struct People {
    /// Tracks that are over, and not told apart by person yet.
    ended: Vec<RunningTrack>,
    waiting: Vec<Tracklet>,
    /// Who was reported when, as far as it matters to those still to be decided.
    said: Vec<(Spans, PersonId)>,
    /// Running tracks that were announced, and as whom.
    announced: Vec<(u64, PersonId)>,
    next_look: Option<Duration>,
}

/// While the person of a finished tracklet is in view again, it is looked at again after this time.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// So many segments wait for their evidence at most: each keeps a picture.
const MOST_OPEN: usize = 32;

/// What reporting needs besides the tracklets.
pub(super) struct Means<'a> {
    pub(super) gallery: Option<Asked<'a>>,
    pub(super) workers: &'a Workers,
    pub(super) embedder: &'a std::sync::Arc<dyn crate::embed::Embed>,
    pub(super) options: &'a PipelineOptions,
    pub(super) summary: &'a mut VideoSummary,
    /// Numbers the parts of tracks.
    pub(super) tracker: &'a mut Tracker,
    /// The usual time between two frames.
    pub(super) step: Duration,
}

impl Means<'_> {
    /// Two times that are no farther apart have no frame between them: who is seen at both is in view all the time.
    fn between_frames(&self) -> Duration {
        self.step.mul_f32(1.25)
    }
}

impl People {
    /// A track ended.
    pub(super) fn add(&mut self, mut track: RunningTrack, options: &PipelineOptions) {
        let due = track.end().saturating_add(options.rejoin_within);
        self.next_look = Some(self.next_look.map_or(due, |next| next.min(due)));
        self.announced.retain(|(id, _)| *id != track.id);
        track.end_here();
        self.ended.push(track);
    }

    /// Whether so many segments wait for evidence that it is time for [`People::tell_apart`].
    pub(super) fn is_full<'t>(&self, running: impl Iterator<Item = &'t RunningTrack>) -> bool {
        let open = |track: &RunningTrack| track.segments.len().saturating_sub(1);
        self.ended.iter().map(open).sum::<usize>() + running.map(open).sum::<usize>() >= MOST_OPEN
    }

    /// Embeds the shots that are worth it, and gives what was seen to the people whom it shows.
    pub(super) fn tell_apart(&mut self, running: &mut [&mut RunningTrack], means: &mut Means<'_>) -> Result<()> {
        let mut tracks: Vec<&mut RunningTrack> = self.ended.iter_mut().chain(running.iter_mut().map(|track| &mut **track)).collect();
        embed_shots(&mut tracks, means)?;
        let start = Instant::now();
        let Means { options, tracker, .. } = means;
        for track in tracks {
            self.waiting.extend(track.give(options.decision.links(), options, &mut || tracker.number().0)?);
        }
        self.waiting.extend(self.ended.drain(..).flat_map(RunningTrack::into_parts));
        means.summary.stages.identify += start.elapsed();
        Ok(())
    }

    /// Whether somebody may have been away for long enough at `now`.
    pub(super) fn is_due(&self, now: Duration) -> bool {
        self.next_look.is_some_and(|next| now > next)
    }

    /// The sightings that are final at `now` (`None`: the video is over), given the tracks that are still `running`.
    pub(super) fn report<'t>(
        &mut self,
        now: Option<Duration>,
        running: impl Iterator<Item = &'t mut RunningTrack>,
        means: &mut Means<'_>,
    ) -> Result<Vec<Sighting>> {
        let within = means.options.rejoin_within;
        let long_ago = |part: &Tracklet| now.is_none_or(|now| now > part.end().saturating_add(within));
        let mut running: Vec<&mut RunningTrack> = running.collect();
        self.tell_apart(&mut running, means)?;
        let start = Instant::now();
        let ended = self.waiting.len();
        let mut parts: Vec<&mut Tracklet> = self.waiting.iter_mut().chain(running.iter_mut().flat_map(|track| &mut track.parts)).collect();
        let groups = group(&mut parts, means)?;
        let decisions = decide(&mut parts, &groups, &self.said, means)?;
        let done: Vec<bool> = groups.iter().map(|group| group.iter().all(|&index| index < ended && long_ago(parts[index]))).collect();
        let open = groups.iter().zip(&done).filter(|(_, done)| !**done).flat_map(|(group, _)| group);
        let earliest = open.map(|&index| parts[index].start()).min();

        let mut waiting: Vec<Option<Tracklet>> = std::mem::take(&mut self.waiting).into_iter().map(Some).collect();
        let mut sightings = Vec::new();
        for ((group, decision), done) in groups.iter().zip(decisions).zip(done) {
            let members = group.iter().filter_map(|&index| waiting.get_mut(index)?.take());
            if done {
                let members: Vec<Tracklet> = members.collect();
                if let Some(person) = decision.person {
                    self.said.push((spans(members.iter()), person));
                }
                sightings.push(sighting(members, decision, means));
                continue;
            }
            // Somebody who comes and goes for hours has many parts. Those that would have been reported had the person not
            // returned are joined for good: what is remembered, and looked at again, stays small.
            let (old, recent): (Vec<Tracklet>, Vec<Tracklet>) = members.partition(long_ago);
            self.waiting.extend(old.into_iter().reduce(|mut all, part| {
                all.absorb(part);
                all
            }));
            self.waiting.extend(recent);
        }
        self.said.retain(|(spans, _)| spans.last().is_some_and(|(_, end)| earliest.is_some_and(|earliest| *end >= earliest)));
        self.next_look = self.waiting.iter().map(|tracklet| tracklet.end().saturating_add(within)).min();
        if let (Some(next), Some(now)) = (&mut self.next_look, now) {
            *next = (*next).max(now.saturating_add(LOOK_AGAIN));
        }
        sightings.sort_by_key(|sighting| (sighting.start, sighting.track));
        sightings.iter().for_each(|sighting| means.summary.count(sighting));
        means.summary.stages.identify += start.elapsed();
        Ok(sightings)
    }

    /// Running tracks that can be named and were not announced yet under that name.
    pub(super) fn announce<'t>(
        &mut self,
        running: impl Iterator<Item = &'t mut RunningTrack>,
        means: &mut Means<'_>,
    ) -> Result<Vec<Sighting>> {
        let mut running: Vec<&mut RunningTrack> = running.collect();
        self.tell_apart(&mut running, means)?;
        let start = Instant::now();
        let (tracks, mut parts): (Vec<u64>, Vec<&mut Tracklet>) =
            running.iter_mut().filter_map(|track| Some((track.id, track.current_mut()?))).unzip();
        let alone: Vec<Vec<usize>> = (0..parts.len()).map(|index| vec![index]).collect();
        let decisions = decide(&mut parts, &alone, &self.said, means)?;
        let mut sightings = Vec::new();
        for ((part, track), decision) in parts.iter().zip(tracks).zip(decisions) {
            let Some(person) = decision.person else { continue };
            if self.announced.contains(&(track, person)) {
                continue;
            }
            self.announced.retain(|(announced, _)| *announced != track);
            self.announced.push((track, person));
            sightings.push(Sighting {
                track: part.id,
                start: part.start(),
                end: part.end(),
                spans: merged(part.spans().iter(), means.between_frames()),
                frames: part.frames,
                decision,
                best_shots: part.shots.iter().map(best_shot).collect(),
                embeddings: part.embedded,
                boxes: part.boxes.clone(),
                provisional: true,
            });
        }
        means.summary.stages.identify += start.elapsed();
        Ok(sightings)
    }
}

/// Embeds the shots that are worth it, all tracks together, and then those that may still decide who a track is.
fn embed_shots(tracks: &mut [&mut RunningTrack], means: &mut Means<'_>) -> Result<()> {
    let worth = worth_embedding(tracks, means.summary);
    embed_at(&worth, tracks, means)?;
    let mut more = Vec::new();
    for (index, track) in tracks.iter().enumerate() {
        more.extend(track.deciding().into_iter().map(|segment| (index, segment)));
    }
    embed_at(&more, tracks, means)
}

/// The segments whose best shots are worth embedding, each with its track: those that must be, and more as long as the video as a whole
/// keeps to one embedding in [`DETECTIONS_PER_EMBEDDING`] detections.
fn worth_embedding(tracks: &[&mut RunningTrack], summary: &VideoSummary) -> Vec<(usize, usize)> {
    let wanted: Vec<_> = tracks.iter().map(|track| track.wanted()).collect();
    let budget = usize::try_from(summary.detections).unwrap_or(usize::MAX) / DETECTIONS_PER_EMBEDDING;
    let spent = usize::try_from(summary.embeddings).unwrap_or(usize::MAX);
    let mut spare = budget.saturating_sub(spent).saturating_sub(wanted.iter().map(|(must, _)| must.len()).sum());
    let mut places = Vec::new();
    for (index, (must, mut may)) in wanted.into_iter().enumerate() {
        may.truncate(spare);
        spare -= may.len();
        places.extend(must.into_iter().chain(may).map(|segment| (index, segment)));
    }
    places
}

/// Embeds the best shots of these segments, which makes them evidence. `wanted` are tracks and their segments, by index.
fn embed_at(wanted: &[(usize, usize)], tracks: &mut [&mut RunningTrack], means: &mut Means<'_>) -> Result<()> {
    let mut places: Vec<(usize, usize)> = Vec::new();
    let (mut shots, mut faces): (Vec<Kept<Candidate>>, Vec<Image>) = Default::default();
    for &(index, segment) in wanted {
        let Some(mut best) = tracks[index].segments[segment].best.take() else { continue };
        faces.push(std::mem::replace(&mut best.value.face.aligned, Image::filled(1, 1, [0; 3])));
        places.push((index, segment));
        shots.push(best);
    }
    if faces.is_empty() {
        return Ok(());
    }
    means.summary.embeddings += faces.len() as u64;
    let (embeddings, time) = embed(means.workers, means.embedder, faces)?;
    means.summary.stages.embed += time;
    let start = Instant::now();
    let decision = &means.options.decision;
    let votes: Vec<(Option<PersonId>, bool)> = match means.gallery {
        Some(gallery) => {
            let single = gallery.identify_many(&embeddings, &decision.for_shots(decision.threshold))?;
            single.into_iter().map(|vote| (vote.person, decision.is_near(vote.similarity))).collect()
        }
        None => vec![(None, false); embeddings.len()],
    };
    means.summary.stages.identify += start.elapsed();
    for (((place, shot), embedding), (vote, near)) in places.into_iter().zip(shots).zip(embeddings).zip(votes) {
        let Candidate { frame, rect, face, picture, .. } = shot.value;
        let quality = Quality { recognisability: embedding.recognisability(), ..face.quality };
        let track = &mut tracks[place.0];
        track.near = near;
        let segment = &mut track.segments[place.1];
        let value = Shot { frame, rect, quality, picture, embedding, vote, jumps: segment.jumps };
        segment.evidence = Some(Kept { time: shot.time, score: shot.score, value });
    }
    Ok(())
}

/// Indices of the tracklets of each person.
fn group(parts: &mut [&mut Tracklet], means: &Means<'_>) -> Result<Vec<Vec<usize>>> {
    let options = &means.options;
    let mut summarise = |part: &mut &mut Tracklet| -> Result<track::Tracklet> {
        let spans = part.spans().clone();
        let clear = part.evidence().any(|shot| shot.quality >= CLEAR);
        let Verdict { decision, template } = part.verdict(means.gallery, &options.decision)?;
        let template = template.clone().filter(|_| clear);
        Ok(track::Tracklet { spans, template, identity: decision.person.map(|person| person.0) })
    };
    let tracklets: Vec<track::Tracklet> = parts.iter_mut().map(&mut summarise).collect::<Result<_>>()?;
    let numbers = rejoin(&tracklets, &RejoinOptions::new(options.rejoin_similarity, options.rejoin_within))?;
    let mut groups = vec![Vec::new(); numbers.iter().max().map_or(0, |most| most + 1)];
    for (index, number) in numbers.into_iter().enumerate() {
        groups[number].push(index);
    }
    Ok(groups)
}

/// Who each group is, settled among those who were in view together and with what was `said`.
fn decide(parts: &mut [&mut Tracklet], groups: &[Vec<usize>], said: &[(Spans, PersonId)], means: &Means<'_>) -> Result<Vec<Decision>> {
    let options = &means.options.decision;
    let mut claims = Vec::with_capacity(groups.len());
    for group in groups {
        let decision = match group.as_slice() {
            [alone] => parts[*alone].verdict(means.gallery, options)?.decision.clone(),
            several => {
                let evidence: Vec<Evidence<'_>> = several.iter().flat_map(|&index| parts[index].evidence()).collect();
                Verdict::new(means.gallery, &evidence, options)?.decision
            }
        };
        claims.push((spans(group.iter().map(|&index| &*parts[index])), decision));
    }
    settle(&mut claims, said, options);
    Ok(claims.into_iter().map(|(_, decision)| decision).collect())
}

/// When the tracklets' person was in view.
fn spans<'t>(parts: impl Iterator<Item = &'t Tracklet>) -> Spans {
    merged(parts.flat_map(Tracklet::spans), Duration::ZERO)
}

/// The person's sighting from the tracklets of one group.
fn sighting(mut members: Vec<Tracklet>, decision: Decision, means: &Means<'_>) -> Sighting {
    members.sort_by_key(|member| (member.start(), member.id));
    let spans = merged(members.iter().flat_map(Tracklet::spans), means.between_frames());
    let (start, end) = (spans.first().map_or(Duration::ZERO, |span| span.0), spans.last().map_or(Duration::ZERO, |span| span.1));
    let (mut frames, mut embeddings, mut boxes, mut shots) = (0, 0, Vec::new(), Vec::new());
    let track = members.iter().map(|member| member.id).min().unwrap_or_default();
    for member in members {
        frames += member.frames;
        embeddings += member.embedded;
        boxes.extend(member.boxes);
        shots.push(member.shots.into_vec());
    }
    boxes.sort_by_key(|one| one.frame);
    let best_shots = choose(shots, means.options.best_shots).iter().map(best_shot).collect();
    Sighting { track, start, end, spans, frames, decision, best_shots, embeddings, boxes, provisional: false }
}

/// At most `most` shots: the best of each part in turn, so that every appearance is shown if there is room.
fn choose(mut parts: Vec<Vec<Kept<Shot>>>, most: usize) -> Vec<Kept<Shot>> {
    for part in &mut parts {
        part.sort_by(|a, b| a.score.total_cmp(&b.score));
    }
    let mut chosen = Vec::new();
    while chosen.len() < most && parts.iter().any(|part| !part.is_empty()) {
        let mut round: Vec<Kept<Shot>> = parts.iter_mut().filter_map(Vec::pop).collect();
        round.sort_by(|a, b| b.score.total_cmp(&a.score));
        round.truncate(most - chosen.len());
        chosen.extend(round);
    }
    chosen.sort_by_key(|shot| shot.time);
    chosen
}

fn best_shot(kept: &Kept<Shot>) -> BestShot {
    let Shot { frame, rect, quality, picture, embedding, .. } = &kept.value;
    BestShot { frame: *frame, time: kept.time, rect: *rect, quality: *quality, embedding: embedding.clone(), picture: picture.clone() }
}
