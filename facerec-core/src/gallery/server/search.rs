//! Search on the server: PostgreSQL finds the candidates, their similarity is computed here, from the true vectors.

use super::edit::now_ms;
use super::failure::Failure;
use super::param::Param;
use super::rows::{FACE, OwnedFace, PERSON, wanted};
use super::tx::{EF_SEARCH, Tx};
use crate::error::Result;
use crate::face::Embedding;
use crate::gallery::decision::{Candidate, FIRST_LOOK, LOOK_FURTHER, best_per_person};
use crate::gallery::filter::SearchFilter;
use crate::gallery::index::similarity;
use crate::gallery::records::Match;
use crate::gallery::store::Checked;

/// How a search is made in one transaction.
pub(super) struct Searcher<'a> {
    pub(super) filter: &'a SearchFilter,
    /// The people that the filter names; `None` for all.
    people: Option<Vec<i64>>,
    /// Length of the vectors when the gallery's graph is to be used.
    pub(super) graph: Option<usize>,
    pub(super) salvage: bool,
}

impl<'a> Searcher<'a> {
    pub(super) fn new(tx: &mut Tx<'_>, filter: &'a SearchFilter, graph: Option<usize>, salvage: bool) -> Result<Self, Failure> {
        let people = match &filter.persons {
            None => None,
            Some(names) => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                let rows = tx.query("SELECT id FROM gallery.persons WHERE name = ANY($1)", &[&names])?;
                Some(rows.iter().map(|row| row.get(0)).collect())
            }
        };
        Ok(Self { filter, people, graph, salvage })
    }

    /// The `k` most similar faces, best first; equal similarities in the order of enrolment.
    pub(super) fn best(&self, tx: &mut Tx<'_>, query: &Embedding, k: usize) -> Result<Vec<Match>, Failure> {
        let mut look = k;
        loop {
            let (mut found, all) = self.look(tx, query, look)?;
            // A filter of metadata is narrower here than in SQL, and damaged rows may be left out: there may be others behind.
            if found.len() >= k || all {
                found.truncate(k);
                return Ok(found);
            }
            look = look.saturating_mul(LOOK_FURTHER);
        }
    }

    /// The most similar people, best first: at least `wanted` when there are so many.
    pub(super) fn best_people(&self, tx: &mut Tx<'_>, query: &Embedding, wanted: usize) -> Result<Vec<Candidate>, Failure> {
        let mut look = FIRST_LOOK.max(wanted.saturating_mul(4));
        // One person's many faces may fill the whole list: look further until enough people are in it.
        loop {
            let (found, all) = self.look(tx, query, look)?;
            let people = best_per_person(found);
            if people.len() >= wanted || all {
                return Ok(people);
            }
            look = look.saturating_mul(LOOK_FURTHER);
        }
    }

    /// The first `look` faces that PostgreSQL finds, and whether these are all there are.
    fn look(&self, tx: &mut Tx<'_>, query: &Embedding, look: usize) -> Result<(Vec<Match>, bool), Failure> {
        // The graph brings a few hundred neighbours; beyond that comparing all is as fast, and exact.
        if let Some(dim) = self.graph.filter(|_| look <= EF_SEARCH / 2) {
            let (found, rows) = self.ask(tx, query, look, Some(dim))?;
            if rows >= look {
                return Ok((found, false));
            }
            // It gave up before it had found enough: they are few, or far behind others that the filter leaves out.
        }
        let (found, rows) = self.ask(tx, query, look, None)?;
        Ok((found, rows < look))
    }

    fn ask(&self, tx: &mut Tx<'_>, query: &Embedding, look: usize, graph: Option<usize>) -> Result<(Vec<Match>, usize), Failure> {
        let vector = query.as_slice().to_vec();
        let limit = i64::try_from(look).unwrap_or(i64::MAX);
        let wanted = wanted(self.filter);
        let now = now_ms();
        let mut params: Vec<&dyn Param> = vec![&vector, &limit, &now];
        let mut conditions = String::from("WHERE (expires_ms IS NULL OR expires_ms > $3)");
        if let Some(people) = &self.people {
            params.push(people);
            conditions += &format!(" AND person = ANY(${})", params.len());
        }
        if let Some(wanted) = &wanted {
            params.push(wanted);
            conditions += &format!(
                " AND NOT EXISTS (SELECT FROM jsonb_each(${}::text::jsonb) wanted WHERE entries -> wanted.key IS DISTINCT FROM wanted.value)",
                params.len()
            );
        }
        let order = match graph {
            Some(dim) => format!("(vector::pgvector.vector({dim})) OPERATOR(pgvector.<#>) $1::pgvector.vector"),
            // `+ 0` keeps PostgreSQL from using the graph: this is the exact search.
            None => "(vector OPERATOR(pgvector.<#>) $1::pgvector.vector) + 0, id".to_owned(),
        };
        let sql = format!(
            "SELECT {FACE}, {PERSON} FROM (SELECT id FROM gallery.faces {conditions} ORDER BY {order} LIMIT $2) best \
             JOIN gallery.faces f ON f.id = best.id JOIN gallery.persons p ON p.id = f.person"
        );
        let rows = tx.query(&sql, &params)?;
        let count = rows.len();
        let mut found = Vec::with_capacity(count);
        for row in rows {
            let face = OwnedFace::new(row);
            match (face.checked(), face.person()) {
                (Checked::Good(good), Checked::Good(person)) if self.filter.lets_metadata(good.metadata) => found.push(Match {
                    person: person.id,
                    name: person.name.into(),
                    face: good.id,
                    similarity: similarity(query.as_slice(), &face.vector).clamp(-1.0, 1.0),
                }),
                (Checked::Good(_), Checked::Good(_)) => {}
                (Checked::Damaged(id), _) if !self.salvage => {
                    return Err(tx.corrupt(&format!("face {id} does not match its checksum")).into());
                }
                (_, Checked::Damaged(id)) if !self.salvage => {
                    return Err(tx.corrupt(&format!("person {id} does not match its checksum")).into());
                }
                _ => {}
            }
        }
        found.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.face.cmp(&b.face)));
        Ok((found, count))
    }
}
