//! The curves that a selection asks for: from the database, or from the messages of their topics.

use std::sync::Arc;

use futures::future::join_all;
use operator::failure::Failure;
use operator::telemetry::{Quantity, Series, TimeRange, from_topic};
use tokio::sync::Semaphore;

use crate::catalogue::Known;
use crate::plot::Curve;
use crate::selection::{Chosen, Selection};
use crate::state::State;

/// Points of a curve on a page: more than pixels of a plot show nothing more.
pub(crate) const PLOT_POINTS: usize = 720;
/// Rows of a file, of all its fields together.
pub(crate) const MAX_ROWS: usize = 200_000;
/// Topics whose messages are in memory at a time, of all pages together: each has at most
/// [`operator::telemetry::MAX_BYTES`].
const MAX_READ: usize = 4;

static READS: Semaphore = Semaphore::const_new(MAX_READ);

/// A curve, or why it is not there, which fields of one topic share.
pub(crate) struct Answer {
    pub(crate) chosen: Chosen,
    pub(crate) curve: Result<Curve, Arc<Failure>>,
}

/// How many rows of a file each of its fields may have.
pub(crate) fn rows_each(fields: usize) -> usize {
    MAX_ROWS / fields.max(1)
}

/// All curves of a selection, in its order, with at most `most` points each.
pub(crate) async fn values(
    state: &State,
    selection: &Selection,
    range: TimeRange,
    most: usize,
) -> Vec<Answer> {
    let known = selection.chosen.iter().map(|chosen| {
        let known = state.catalogue.look_up(&chosen.topic, &chosen.field);
        let Known {
            measurement,
            unit,
            symbols,
        } = known;
        let field = chosen.field.clone();
        let quantity = Quantity {
            measurement,
            field,
            symbols,
        };
        (quantity, unit)
    });
    let (quantities, units): (Vec<Quantity>, Vec<_>) = known.unzip();
    let found = match &state.database {
        Some(database) => {
            let asked = quantities
                .iter()
                .map(|quantity| database.series(quantity, range, most));
            let answers = join_all(asked).await.into_iter();
            answers.map(|series| series.map_err(Arc::new)).collect()
        }
        None => of_topics(state, &selection.chosen, &quantities, range, most).await,
    };
    let curves = selection.chosen.iter().zip(quantities).zip(units).zip(found);
    curves
        .map(|(((chosen, quantity), unit), series)| Answer {
            chosen: chosen.clone(),
            curve: series.map(|series| Curve {
                name: format!("{} · {}", chosen.topic, chosen.field),
                unit,
                symbols: quantity.symbols,
                series,
            }),
        })
        .collect()
}

/// The same from the messages of topics, one topic after the other: its messages are read once for all of its fields, and
/// gone before the next one's are read.
async fn of_topics(
    state: &State,
    chosen: &[Chosen],
    quantities: &[Quantity],
    range: TimeRange,
    most: usize,
) -> Vec<Result<Series, Arc<Failure>>> {
    let mut found: Vec<(usize, Result<Series, Arc<Failure>>)> = Vec::new();
    for (topic, places) in by_topic(chosen) {
        let of: Vec<Quantity> = places
            .iter()
            .filter_map(|place| quantities.get(*place).cloned())
            .collect();
        match of_topic(state, topic, &of, range, most).await {
            Ok(series) => found.extend(places.into_iter().zip(series.into_iter().map(Ok))),
            Err(failure) => {
                let failure = Arc::new(failure);
                found.extend(places.into_iter().map(|place| (place, Err(Arc::clone(&failure)))));
            }
        }
    }
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, series)| series).collect()
}

async fn of_topic(
    state: &State,
    topic: &str,
    of: &[Quantity],
    range: TimeRange,
    most: usize,
) -> Result<Vec<Series>, Failure> {
    let name = topic.to_owned();
    // Until the messages are gone. It is never closed.
    let _permit = READS.acquire().await;
    let (messages, out_of) = state
        .ask(move |cluster| from_topic(cluster, &name, range))
        .await?;
    let mut decoder = state.decoder.lock().await;
    let mut found = Series::of_messages(&messages, of, range, most, &mut decoder).await;
    for series in &mut found {
        series.out_of = out_of;
    }
    Ok(found)
}

/// The topics of a selection in its order, each with the places of its fields.
fn by_topic(chosen: &[Chosen]) -> Vec<(&str, Vec<usize>)> {
    let mut topics: Vec<(&str, Vec<usize>)> = Vec::new();
    for (place, Chosen { topic, .. }) in chosen.iter().enumerate() {
        match topics.iter_mut().find(|(known, _)| known == topic) {
            Some((_, places)) => places.push(place),
            None => topics.push((topic, vec![place])),
        }
    }
    topics
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_of_a_file_are_divided_among_its_fields() {
        assert_eq!([0, 1, 3, 8].map(rows_each), [200_000, 200_000, 66_666, 25_000]);
    }

    #[test]
    fn fields_are_asked_for_by_topic() {
        let chosen: Vec<Chosen> = ["a:x", "b:x", "a:y"]
            .into_iter()
            .filter_map(Chosen::read)
            .collect();
        assert_eq!(by_topic(&chosen), [("a", vec![0, 2]), ("b", vec![1])]);
    }
}
