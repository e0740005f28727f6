//! Stochastic gradient descent with Nesterov momentum, written with tensor operations so that its
//! state can be saved and loaded to the bit.

use convrnn_graph::{ParameterGroup, StepGraph};
use serde::{Deserialize, Serialize};
use tch::{TchError, Tensor};

/// Settings of the optimizer. The learning rate comes from the schedule at each step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimizerSettings {
    /// Nesterov momentum.
    pub momentum: f64,
    /// L2 coefficients.
    pub weight_decay: WeightDecay,
    /// Gradients are clipped to ± this value, element by element; 0 for none.
    pub clip: f64,
}

impl Default for OptimizerSettings {
    fn default() -> Self {
        Self { momentum: 0.9, weight_decay: WeightDecay::uniform(1e-4), clip: 0.7 }
    }
}

/// An L2 coefficient for each group of parameters. In `training.toml`:
/// `weight_decay = { weight = 1e-4, bias = 1e-4, cell-weight = 2.034e-4, cell-bias = 0, normalization = 1e-4 }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WeightDecay {
    /// Weights outside of cells.
    pub weight: f64,
    /// Biases outside of cells.
    pub bias: f64,
    /// Weights within cells.
    pub cell_weight: f64,
    /// Biases within cells.
    pub cell_bias: f64,
    /// Scale and shift of normalisations.
    pub normalization: f64,
}

impl WeightDecay {
    /// One coefficient for all.
    pub const fn uniform(value: f64) -> Self {
        Self { weight: value, bias: value, cell_weight: value, cell_bias: value, normalization: value }
    }

    /// Every coefficient.
    pub fn values(&self) -> [f64; 5] {
        [self.weight, self.bias, self.cell_weight, self.cell_bias, self.normalization]
    }

    /// The coefficient of a group.
    pub fn of(&self, group: ParameterGroup) -> f64 {
        match group {
            ParameterGroup::Weight => self.weight,
            ParameterGroup::Bias => self.bias,
            ParameterGroup::CellWeight => self.cell_weight,
            ParameterGroup::CellBias => self.cell_bias,
            ParameterGroup::Normalization => self.normalization,
            ParameterGroup::Statistics => 0.0,
        }
    }
}

/// With g the gradient clipped by value plus `weight_decay * w` (the coefficient of w's group), and m the momentum:
///
/// ```text
/// v <- m * v + g
/// w <- w - learning_rate * (g + m * v)
/// ```
pub struct Optimizer {
    settings: OptimizerSettings,
    groups: Vec<ParameterGroup>,
    velocity: Vec<Tensor>,
}

impl Optimizer {
    /// Velocities zero. `parameters` are the graph's, in its order.
    pub fn new(graph: &StepGraph, parameters: &[Tensor], settings: OptimizerSettings) -> Result<Self, TchError> {
        let velocity = parameters.iter().map(|tensor| tensor.detach().f_zeros_like()).collect::<Result<_, _>>()?;
        Ok(Self { settings, groups: graph.parameters.iter().map(|parameter| parameter.group).collect(), velocity })
    }

    /// The velocities, in the graph's order of parameters.
    pub fn velocity(&self) -> &[Tensor] {
        &self.velocity
    }

    /// Replaces the velocities by saved ones.
    pub fn restore(&mut self, saved: &[Tensor]) -> Result<(), TchError> {
        for (velocity, saved) in self.velocity.iter_mut().zip(saved) {
            velocity.f_copy_(&saved.detach())?;
        }
        Ok(())
    }

    /// One update. A parameter without a gradient (it cannot reach the loss within the run) moves by
    /// momentum and decay alone.
    pub fn step(
        &mut self,
        parameters: &mut [Tensor],
        gradients: &[Option<Tensor>],
        learning_rate: f64,
    ) -> Result<(), TchError> {
        let OptimizerSettings { momentum, weight_decay, clip } = self.settings;
        tch::no_grad(|| {
            let updated = parameters.iter_mut().zip(gradients).zip(&mut self.velocity).zip(&self.groups);
            for (((parameter, gradient), velocity), &group) in updated {
                if !group.is_trained() {
                    continue;
                }
                let weight_decay = weight_decay.of(group);
                let mut gradient = match gradient {
                    Some(gradient) => gradient.shallow_clone(),
                    None => parameter.f_zeros_like()?,
                };
                if clip > 0.0 {
                    gradient = gradient.f_clamp(-clip, clip)?;
                }
                if weight_decay != 0.0 {
                    gradient = gradient.f_add(&parameter.f_mul_scalar(weight_decay)?)?;
                }
                let _ = velocity.f_mul_scalar_(momentum)?.f_add_(&gradient)?;
                let ahead = velocity.f_mul_scalar(momentum)?.f_add(&gradient)?;
                let _ = parameter.f_sub_(&ahead.f_mul_scalar(learning_rate)?)?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::{initialize, to_f32, to_tensors};
    use convrnn_models::catalogue;
    use tch::{Device, Kind, nn, nn::OptimizerConfig};

    /// A loss with large and small gradients in every parameter.
    fn loss(parameters: &[Tensor]) -> Tensor {
        let terms = parameters.iter().enumerate();
        terms.fold(Tensor::zeros([1], (Kind::Float, Device::Cpu)), |sum, (index, tensor)| {
            sum + (tensor.square() * (0.1 + 0.05 * index as f64)).sum(Kind::Float) + tensor.sin().sum(Kind::Float)
        })
    }

    #[test]
    fn twenty_steps_equal_libtorchs_own_optimizer() {
        let graph = catalogue::find("rgc-28-m4").unwrap().lower().unwrap();
        let start = initialize(&graph, 3);
        let mut ours = to_tensors(&graph, &start, Device::Cpu).unwrap();
        let mut optimizer = Optimizer::new(
            &graph,
            &ours,
            OptimizerSettings { weight_decay: WeightDecay::uniform(0.0), ..Default::default() },
        )
        .unwrap();
        let store = nn::VarStore::new(Device::Cpu);
        let theirs: Vec<Tensor> = to_tensors(&graph, &start, Device::Cpu)
            .unwrap()
            .iter()
            .enumerate()
            .map(|(index, tensor)| store.root().var_copy(&format!("p{index}"), tensor))
            .collect();
        let mut reference =
            nn::Sgd { momentum: 0.9, dampening: 0.0, wd: 0.0, nesterov: true }.build(&store, 0.05).unwrap();
        for _ in 0..20 {
            for tensor in &mut ours {
                tensor.zero_grad();
            }
            loss(&ours).backward();
            let gradients: Vec<_> = ours.iter().map(|tensor| Some(tensor.grad())).collect();
            optimizer.step(&mut ours, &gradients, 0.05).unwrap();
            reference.backward_step_clip(&loss(&theirs), 0.7);
        }
        for ((ours, theirs), start) in ours.iter().zip(&theirs).zip(&start.values) {
            let (ours, theirs) = (to_f32(ours).unwrap(), to_f32(theirs).unwrap());
            let gap = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(gap < 1e-5, "{gap}");
            assert_ne!(&ours, start);
        }
    }

    #[test]
    fn decay_pulls_each_group_as_it_is_told() {
        let graph = catalogue::find("ff-28").unwrap().lower().unwrap();
        assert_eq!(graph.parameters[1].group, ParameterGroup::Bias);
        let mut tensors = to_tensors(&graph, &initialize(&graph, 3), Device::Cpu).unwrap();
        let _ = tch::no_grad(|| tensors[1].fill_(1.0));
        let before: Vec<_> = tensors.iter().map(|tensor| to_f32(tensor).unwrap()).collect();
        let weight_decay = WeightDecay { bias: 0.0, ..WeightDecay::uniform(0.1) };
        let settings = OptimizerSettings { weight_decay, ..Default::default() };
        let none: Vec<_> = tensors.iter().map(|_| None).collect();
        Optimizer::new(&graph, &tensors, settings).unwrap().step(&mut tensors, &none, 0.5).unwrap();
        assert_eq!(to_f32(&tensors[1]).unwrap(), before[1]);
        // v = g and w <- w - 0.5 * 1.9 * 0.1 * w
        let expected = before[0][0] * (1.0 - 0.5 * 1.9 * 0.1);
        assert!((to_f32(&tensors[0]).unwrap()[0] - expected).abs() < 1e-6);
    }
}
