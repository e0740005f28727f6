//! What architecture files have no words for, and what to write instead.

use crate::toml_file::Unfit;

const POOL: &str = "pool is max-pooling: write average = \"after\" for the mean of the whole map, or a convolution with \
                    stride = 2 for a smaller one";
const ACTIVATION: &str = "write activation = \"elu\", which lets values below zero through too";
const SQUARE: &str = "kernels, strides and windows are square: write one number; only padding differs by side";
const GROUPS: &str =
    "a layer's convolution is not grouped: leave groups out; gates of a search cell have affine = \"separable\"";
const DILATION: &str = "a convolution has no dilation: write a larger kernel, or pool before it";

/// One sentence for what people know from elsewhere.
pub(crate) fn advice(unfit: Unfit<'_>) -> Option<&'static str> {
    match unfit {
        Unfit::Key(key) => match key {
            "groups" | "depthwise" => Some(GROUPS),
            "dilation" | "dilations" | "dilation_rate" => Some(DILATION),
            "average_pool" | "avg_pool" | "avgpool" | "average-pool" | "kind" | "type" | "mode" => Some(POOL),
            "kernel_height" | "kernel_width" | "height" | "width" => Some(SQUARE),
            _ => None,
        },
        Unfit::Value { found, key } => match (key, found) {
            // Within a cell the key is not known.
            (_, found) if is_activation(found) => Some(ACTIVATION),
            // The keys of a table where "before" or "after" should stand.
            ("average" | "", "kernel" | "stride" | "padding") => Some(POOL),
            _ => None,
        },
        Unfit::Type { key } => match key {
            "kernel" | "stride" => Some(SQUARE),
            "average" => Some(POOL),
            _ => None,
        },
    }
}

/// Activations of other programs.
fn is_activation(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    ["leakyrelu", "lrelu", "prelu", "gelu", "silu", "swish", "hardswish", "mish", "selu", "softplus", "relu6"]
        .contains(&plain.as_str())
}

#[cfg(test)]
mod tests {
    use crate::Architecture;

    /// The message about a net of two layers, of which the first is given.
    fn message(layer: &str) -> String {
        let text = format!(
            "name = \"net\"\ninput = {{ channels = 1, height = 8, width = 8 }}\n\
             presentation = {{ steps = 4, image_steps = 4 }}\n[[layer]]\n{layer}\n\
             [[layer]]\nconvolution = {{ kernel = 1, channels = 3 }}\naverage = \"after\"\n"
        );
        Architecture::parse(&text, "net.toml").map_or_else(|error| error.to_string(), |_| String::new())
    }

    #[test]
    fn what_is_known_from_elsewhere_is_answered_with_what_to_write() {
        let convolution = "convolution = { kernel = 3, channels = 4";
        assert_eq!(message(&format!("{convolution} }}")), "");
        for (layer, expected) in [
            (
                format!("{convolution}, dilation = 2 }}"),
                "net.toml: line 5: unknown key \"dilation\": a convolution has no dilation: write a larger kernel, or pool before \
                 it. Known here: kernel, channels, stride, padding, bias, initializer, norm, activation",
            ),
            (
                format!("{convolution}, groups = 2 }}"),
                "unknown key \"groups\": a layer's convolution is not grouped: leave groups out;",
            ),
            (
                "convolution = { kernel = [3, 5], channels = 4 }".into(),
                "kernels, strides and windows are square: write one number;",
            ),
            (
                format!("{convolution}, stride = [1, 2] }}"),
                "kernels, strides and windows are square: write one number;",
            ),
            (
                format!("{convolution} }}\npool = {{ kernel = 2, kind = \"average\" }}"),
                "unknown key \"kind\": pool is max-pooling: write",
            ),
            (
                format!("{convolution} }}\navg_pool = {{ kernel = 2 }}"),
                "unknown key \"avg_pool\": pool is max-pooling: write",
            ),
            (format!("{convolution} }}\naverage = {{ kernel = 2 }}"), "pool is max-pooling: write average = \"after\""),
            (
                format!("{convolution} }}\nactivation = \"leaky-relu\""),
                "unknown value \"leaky-relu\": write activation = \"elu\"",
            ),
            (format!("{convolution}, activation = \"gelu\" }}"), "unknown value \"gelu\": write activation = \"elu\""),
            (
                format!(
                    "{convolution} }}\ncell = {{ kind = \"search\", hidden = {{ gate = {{ reads = [], squash = \"leaky_relu\" }} }} }}"
                ),
                "unknown value \"leaky_relu\": write activation = \"elu\"",
            ),
            // A slip of the pen is still answered with the nearest key.
            (format!("{convolution}, dilatoin = 2 }}"), "unknown key \"dilatoin\". Known here"),
            (format!("{convolution}, kernal = 2 }}"), "did you mean \"kernel\"?"),
        ] {
            let found = message(&layer);
            assert!(found.contains(expected), "{layer}: {found}");
        }
    }
}
