//! The curves that a selection asks for: from the database, or from the messages of their topics.

use futures::future::join_all;
use operator::failure::Failure;
use operator::telemetry::{Quantity, Series, TimeRange, from_topic};

use crate::catalogue::Known;
use crate::plot::Curve;
use crate::selection::{Chosen, Selection};
use crate::state::State;

/// Points of a curve on a page: more than pixels of a plot show nothing more.
pub(crate) const PLOT_POINTS: usize = 720;

/// A curve, or why it is not there.
pub(crate) struct Answer {
    pub(crate) chosen: Chosen,
    pub(crate) curve: Result<Curve, Failure>,
}

/// All curves of a selection, in its order, with at most `most` points each.
pub(crate) async fn values(
    state: &State,
    selection: &Selection,
    range: TimeRange,
    most: usize,
) -> Vec<Answer> {
    let answers = selection.chosen.iter().map(|chosen| async move {
        Answer {
            chosen: chosen.clone(),
            curve: curve(state, chosen, range, most).await,
        }
    });
    join_all(answers).await
}

async fn curve(state: &State, chosen: &Chosen, range: TimeRange, most: usize) -> Result<Curve, Failure> {
    let Known {
        measurement,
        unit,
        symbols,
    } = state.catalogue.look_up(&chosen.topic, &chosen.field);
    let quantity = Quantity {
        measurement,
        field: chosen.field.clone(),
        symbols,
    };
    let series = match &state.database {
        Some(database) => database.series(&quantity, range, most).await?,
        None => {
            let topic = chosen.topic.clone();
            let (messages, out_of) = state
                .ask(move |cluster| from_topic(cluster, &topic, range))
                .await?;
            let mut decoder = state.decoder.lock().await;
            Series {
                out_of,
                ..Series::of_messages(&messages, &quantity, range, most, &mut decoder).await
            }
        }
    };
    Ok(Curve {
        name: format!("{} · {}", chosen.topic, chosen.field),
        unit,
        symbols: quantity.symbols,
        series,
    })
}
