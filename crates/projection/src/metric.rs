//! A run's metrics: the names of its dictionary, what each writer calls them, and how they are defined.

use corral_domain::metric::{MetricDef, MetricRegistered};
use corral_read_store::layout::Row;
use corral_read_store::metric::{MetricDefRow, MetricRow, NO_PLACE, WriterMetricRow};
use corral_read_store::state::WriterRow;
use corral_read_store::{metric, state};

use crate::run::{At, NONE, Run};

impl Run {
    /// The last definition of a name wins.
    pub(crate) fn metric_defined(&mut self, def: MetricDef, at: &mut At<'_>) {
        let row = MetricDefRow { step_metric: def.step_metric, goal: def.goal as u8, summary: def.summary as u8 };
        at.put(metric::def_key(self.organization, &self.id, &def.name), row.encode());
        self.moved.insert(state::def_key(&self.stream, &def.name), Some(row.encode()));
        self.defs.insert(def.name, row);
    }

    /// A writer's own number for a name; a name that is new to the run gets the run's next index, if there is one.
    pub(crate) fn metric_registered(&mut self, new: MetricRegistered, writer: &mut WriterRow, at: &mut At<'_>) {
        let MetricRegistered { id, name } = new;
        let index = match self.metric_of.get(&name) {
            Some(index) => *index,
            None if self.head.metrics >= at.limits.run_metrics_max => NO_PLACE,
            None => {
                let index = self.head.metrics;
                self.head.metrics += 1;
                let row = MetricRow { name: name.clone() };
                at.put(metric::key(self.organization, &self.id, index), row.encode());
                self.metrics.push(name.clone());
                self.metric_of.insert(name, index);
                index
            }
        };
        if index == NO_PLACE {
            self.lose(1, writer);
        }
        let Some(names) = self.names.get_mut(writer.index as usize) else { return };
        let mut put = |id: u32, metric: u32| {
            let key = metric::writer_key(self.organization, &self.id, writer.index, id);
            at.put(key, WriterMetricRow { metric }.encode());
        };
        // Behind a hole a registration may still come; else a gap stands in its place.
        while writer.open_ranges.is_empty() && names.metrics.len() < id as usize {
            put(names.metrics.len() as u32, NO_PLACE);
            names.metrics.push(NO_PLACE);
        }
        let place = id as usize;
        if names.metrics.len() <= place {
            names.metrics.resize(place + 1, NONE);
        }
        if names.metrics[place] == NONE {
            names.metrics[place] = index;
            writer.metrics = names.metrics.len() as u32;
            put(id, index);
        }
    }
}
