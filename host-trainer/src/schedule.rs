//! The learning rate over time.

use serde::{Deserialize, Serialize};

/// How the learning rate changes. In `training.toml`, for instance `schedule = { kind = "plateau", patience = 3 }`.
///
/// A run may go on for more epochs than it was started with. With every schedule but the cosine the result is that of a run
/// that was started with all of them; see [`Schedule::with_more_epochs`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// Divided by 10 when the error on the images that choose has not improved for `patience` epochs (He et al. 2016).
    Plateau {
        /// Epochs without improvement before a division.
        patience: usize,
    },
    /// Divided by 10 after each of these epochs.
    Steps {
        /// Epochs, counted from 1, increasing.
        after: Vec<usize>,
    },
    /// Half a cosine from the full rate to 0 over all training steps.
    Cosine,
    /// No change.
    Constant,
}

/// Where a schedule stands; saved with a checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScheduleState {
    /// Divisions by 10 so far (plateau).
    pub divisions: u32,
    /// Epochs since the error last improved (plateau).
    pub stale_epochs: usize,
    /// Smallest error so far (plateau).
    pub best_error: Option<f64>,
}

impl Schedule {
    /// Factor of the base rate for one training step. `epoch` counts from 0, `progress` from 0 to 1
    /// over the whole training.
    pub fn factor(&self, state: &ScheduleState, epoch: usize, progress: f64) -> f64 {
        match self {
            Schedule::Plateau { .. } => 0.1f64.powi(state.divisions as i32),
            Schedule::Steps { after } => 0.1f64.powi(after.iter().filter(|&&last| epoch >= last).count() as i32),
            Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
            Schedule::Constant => 1.0,
        }
    }

    /// What more epochs than a run was started with mean to its learning rate.
    pub fn with_more_epochs(&self) -> &'static str {
        match self {
            Schedule::Plateau { .. } => {
                "plateau: the rate goes on as it stands, divisions and epochs without improvement so far included"
            }
            Schedule::Steps { .. } => "steps: the rate is divided after the same epochs as before",
            Schedule::Cosine => {
                "cosine: the rate follows the cosine over all epochs from here on, so that it jumps up to what that one has at \
                 this epoch; the result is not that of a run started with so many epochs"
            }
            Schedule::Constant => "constant: the rate stays as it is",
        }
    }

    /// Takes note of an epoch's error on the images that choose.
    pub fn observe(&self, state: &mut ScheduleState, error: f64) {
        if state.best_error.is_none_or(|best| error < best) {
            state.best_error = Some(error);
            state.stale_epochs = 0;
            return;
        }
        state.stale_epochs += 1;
        if let Schedule::Plateau { patience } = self
            && state.stale_epochs >= *patience
        {
            state.divisions += 1;
            state.stale_epochs = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plateau_divides_by_ten_and_waits_again() {
        let schedule = Schedule::Plateau { patience: 2 };
        let mut state = ScheduleState::default();
        let mut factors = Vec::new();
        for error in [0.5, 0.4, 0.4, 0.41, 0.39, 0.4, 0.4, 0.4] {
            schedule.observe(&mut state, error);
            factors.push(schedule.factor(&state, 0, 0.0));
        }
        let expected = [1.0, 1.0, 1.0, 0.1, 0.1, 0.1, 0.01, 0.01];
        assert!(factors.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-12), "{factors:?}");
    }

    #[test]
    fn steps_and_cosine() {
        let state = ScheduleState::default();
        let steps = Schedule::Steps { after: vec![2, 4] };
        let factors: Vec<f64> = (0..5).map(|epoch| steps.factor(&state, epoch, 0.0)).collect();
        assert_eq!(factors, [1.0, 1.0, 0.1, 0.1, 0.1f64.powi(2)]);
        assert_eq!(Schedule::Cosine.factor(&state, 0, 0.0), 1.0);
        assert!((Schedule::Cosine.factor(&state, 0, 0.5) - 0.5).abs() < 1e-12);
        assert!(Schedule::Cosine.factor(&state, 0, 1.0) < 1e-12);
    }
}
