//! Feedforward nets with as many parameters as another net: the controls of the paper's Figure 2b, "wider" and "deeper".

use crate::architecture::Architecture;
use crate::error::ArchitectureError;
use crate::layer::Layer;
use crate::padding::LayerPadding;

/// How a net is brought to a number of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// The channels of all layers but the last are multiplied by one factor.
    Wider,
    /// Layers are added (3x3, as many channels as the layer before, no pooling), and a factor of the channels makes up for
    /// what is left.
    Deeper,
}

/// A net cannot be brought to a number of parameters.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)]
pub enum MatchError {
    #[error(
        "{name} has {what}, expected a feedforward net: only what is added would differ from the net it is matched to"
    )]
    Recurrent { name: String, what: &'static str },
    #[error("{name} has {layers} layers, expected at least 3: the first and the last are kept")]
    Shallow { name: String, layers: usize },
    #[error(
        "no {growth} form of {name} comes within 1 % of {target} parameters; the nearest has {nearest}. Start from \
         another net"
    )]
    OutOfReach { name: String, growth: &'static str, target: usize, nearest: usize },
    #[error(transparent)]
    Architecture(#[from] ArchitectureError),
}

/// How far the number of parameters may be from the target, as a share of it.
pub const TOLERANCE: f64 = 0.01;
/// Factors of the channels that are tried.
const FACTORS: (f64, f64) = (1.0 / 64.0, 64.0);
/// Layers that are added at most.
const MOST_LAYERS: usize = 200;

/// The net nearest to `target` parameters, within 1 % of it.
pub fn matched(base: &Architecture, target: usize, growth: Growth) -> Result<Architecture, MatchError> {
    let name = base.name.clone();
    if base.layers.iter().any(|layer| layer.cell.is_some()) {
        return Err(MatchError::Recurrent { name, what: "cells" });
    }
    if !base.feedback.is_empty() {
        return Err(MatchError::Recurrent { name, what: "feedback" });
    }
    if base.layers.len() < 3 {
        return Err(MatchError::Shallow { name, layers: base.layers.len() });
    }
    let (mut net, word) = match growth {
        Growth::Wider => (base.clone(), "wider"),
        Growth::Deeper => (deepened(base, target)?, "deeper"),
    };
    net = widened(&net, target)?;
    let nearest = parameters(&net)?;
    if nearest.abs_diff(target) as f64 > TOLERANCE * target as f64 {
        return Err(MatchError::OutOfReach { name, growth: word, target, nearest });
    }
    net.name = format!("{name}-{word}");
    net.description = format!("{name} made {word} to {nearest} parameters, to match {target}");
    Ok(net)
}

fn parameters(net: &Architecture) -> Result<usize, ArchitectureError> {
    Ok(net.lower()?.parameter_count())
}

/// Adds one layer after another, from the second on and around again, until there are enough parameters; of the last two
/// nets the nearer one.
fn deepened(base: &Architecture, target: usize) -> Result<Architecture, ArchitectureError> {
    let places = base.layers.len() - 2;
    let mut nearest = (parameters(base)?.abs_diff(target), base.clone());
    for added in 1..=MOST_LAYERS {
        let mut net = base.clone();
        let copies = |place: usize| added / places + usize::from(place < added % places);
        for place in (0..places).rev() {
            let layer = plain(&base.layers[place + 1]);
            net.layers.splice(place + 2..place + 2, std::iter::repeat_n(layer, copies(place)));
        }
        // Copies stand behind the second layer and all after it but the last.
        let new_place = |layer: usize| layer + (0..layer.saturating_sub(1)).map(copies).sum::<usize>();
        renumber(&mut net, &(0..base.layers.len()).map(new_place).collect::<Vec<_>>());
        lengthen(&mut net, added);
        let count = parameters(&net)?;
        if count.abs_diff(target) < nearest.0 || added == 1 {
            nearest = (count.abs_diff(target), net);
        }
        if count >= target {
            break;
        }
    }
    Ok(nearest.1)
}

/// Edges to and from the layers that the old ones have become: layer `i` has become layer `places[i]`, both from 0.
fn renumber(net: &mut Architecture, places: &[usize]) {
    for edge in net.feedback.iter_mut().chain(&mut net.skip) {
        edge.from = places[edge.from - 1] + 1;
        edge.to = places[edge.to - 1] + 1;
    }
}

/// A layer like another, of stride 1 and without pooling.
fn plain(layer: &Layer) -> Layer {
    let mut plain = layer.clone();
    plain.pool = None;
    plain.average = None;
    for convolution in &mut plain.convolutions {
        convolution.kernel = 3;
        convolution.stride = 1;
        convolution.padding = LayerPadding::Same;
    }
    plain
}

/// An arrow between layers costs a step.
fn lengthen(net: &mut Architecture, layers: usize) {
    net.presentation.steps += layers;
    net.presentation.image_steps += layers;
}

/// Multiplies the channels of all layers but the last by the factor that comes nearest, then mends single layers.
fn widened(net: &Architecture, target: usize) -> Result<Architecture, ArchitectureError> {
    let (mut low, mut high) = FACTORS;
    for _ in 0..60 {
        let middle = (low * high).sqrt();
        match parameters(&scaled(net, middle))? < target {
            true => low = middle,
            false => high = middle,
        }
    }
    let mut best = scaled(net, high);
    let mut distance = parameters(&best)?.abs_diff(target);
    loop {
        let mut improved = None;
        for layer in 0..net.layers.len() - 1 {
            for change in [-1, 1] {
                let mut changed = best.clone();
                for convolution in &mut changed.layers[layer].convolutions {
                    convolution.channels = convolution.channels.saturating_add_signed(change).max(1);
                }
                let found = parameters(&changed)?.abs_diff(target);
                if found < distance {
                    distance = found;
                    improved = Some(changed);
                }
            }
        }
        match improved {
            Some(changed) => best = changed,
            None => return Ok(best),
        }
    }
}

fn scaled(net: &Architecture, factor: f64) -> Architecture {
    let mut net = net.clone();
    let last = net.layers.len() - 1;
    for convolution in net.layers[..last].iter_mut().flat_map(|layer| &mut layer.convolutions) {
        convolution.channels = ((convolution.channels as f64 * factor).round() as usize).clamp(1, 65536);
    }
    net
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;

    #[test]
    fn nets_come_within_one_percent_and_stay_feedforward() {
        for (base, like) in [("ff-6", "rgc-6"), ("ff-6", "ff-6-wider"), ("ff-28", "rgc-28"), ("ff-32", "lstm-32")] {
            let base = catalogue::find(base).unwrap();
            let target = parameters(&catalogue::find(like).unwrap()).unwrap();
            for growth in [Growth::Wider, Growth::Deeper] {
                let net = matched(&base, target, growth).unwrap_or_else(|error| panic!("{error}"));
                let found = parameters(&net).unwrap();
                assert!((found as f64 / target as f64 - 1.0).abs() <= TOLERANCE, "{}: {found}, {target}", net.name);
                assert_eq!(growth == Growth::Deeper, net.layers.len() > base.layers.len(), "{}", net.name);
                assert_eq!(net.layers.last(), base.layers.last());
                let warnings = crate::Report::new(&net).unwrap().warnings(&net.presentation);
                assert!(warnings.is_empty(), "{warnings:?}");
                assert_eq!(Architecture::parse(&net.to_toml(), "again").unwrap(), net);
            }
        }
    }

    #[test]
    fn skips_stay_between_the_layers_that_they_were_between() {
        let mut base = catalogue::find("ff-28").unwrap();
        let count = base.layers.len();
        let skip = |from, to| crate::Edge {
            from,
            to,
            entry: crate::edge::Entry::Concatenate,
            resize: crate::edge::EdgeResize::MaxPool,
            initializer: convrnn_graph::Initializer::XavierUniform,
        };
        base.skip = vec![skip(1, 3), skip(2, count)];
        let target = 3 * parameters(&base).unwrap();
        for growth in [Growth::Wider, Growth::Deeper] {
            let net = matched(&base, target, growth).unwrap_or_else(|error| panic!("{error}"));
            for (edge, old) in net.skip.iter().zip(&base.skip) {
                // Layers that are not copies keep their place among themselves, and pooling tells them from copies.
                assert_eq!(net.layers[edge.from - 1].pool, base.layers[old.from - 1].pool, "{growth:?} {edge:?}");
                assert_eq!(
                    net.layers[edge.to - 1].convolutions[0].kernel,
                    base.layers[old.to - 1].convolutions[0].kernel
                );
            }
            assert_eq!(net.skip[1].to, net.layers.len(), "{growth:?}: the last layer is the last");
            assert_eq!(growth == Growth::Deeper, net.skip != base.skip, "{growth:?}");
        }
    }

    #[test]
    fn a_recurrent_net_and_a_target_out_of_reach_are_refused() {
        let error = matched(&catalogue::find("rgc-28").unwrap(), 1000, Growth::Wider).unwrap_err().to_string();
        assert!(error.contains("rgc-28 has cells"), "{error}");
        let error = matched(&catalogue::find("ff-6").unwrap(), 3, Growth::Wider).unwrap_err().to_string();
        assert!(error.contains("within 1 % of 3 parameters"), "{error}");
    }
}
