//! Which tensors of a graph the user means.
//!
//! An address is, in this order: the name of a tensor; the name of a node or the path of a module; `@Op`, all tensors
//! of an operator; `re:PATTERN`, a regular expression found anywhere in a name; a whole number, the listing's index
//! (from the end when negative); or a glob (`*` also crosses `/` and `.`). Patterns go over the names of tensors, nodes
//! and modules.

pub mod coupling;
pub mod dedup;
pub mod fixed;
mod names;
mod nearest;
pub mod probe;
pub mod rows;

use crate::graph::Graph;
use crate::layers::names::Names;
use crate::layers::nearest::{nearest, nearest_text};
use anyhow::{Context, Result};
use cli::{Input, Job};
use globset::{GlobBuilder, GlobMatcher};
use regex::Regex;
use std::io::Read;

/// A layer that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The tensor's name.
    pub tensor: String,
    /// The name that the layer has in files and messages: as asked where the address is one name, else the tensor's.
    pub name: String,
    /// It was named itself, rather than met by a pattern: being unusable is then an error.
    pub named: bool,
}

/// The layers that were asked for, each tensor once, and what is to be said of how they were found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// In the order asked and, within a pattern, of the graph.
    pub choices: Vec<Choice>,
    /// One line for each address that is not simply a tensor's name, or that names a tensor again.
    pub notes: Vec<String>,
}

/// Addresses that lead nowhere.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum LayerError {
    /// No such tensor.
    #[error("no layer \"{wanted}\"{}; see --list-layers", nearest_text(.nearest))]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// The names most like it.
        nearest: Vec<String>,
    },
    /// Not a pattern.
    #[error("\"{pattern}\" is not a pattern: {reason}")]
    Pattern {
        /// What was given.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// One name, several tensors.
    #[error("\"{wanted}\" is {} tensors: \"{}\"; name the tensor", .tensors.len(), .tensors.join("\", \""))]
    Ambiguous {
        /// What was asked for.
        wanted: String,
        /// The tensors that it could mean.
        tensors: Vec<String>,
    },
    /// The name of a tensor that is also a module's, of which another tensor is the output.
    #[error(
        "\"{wanted}\" is a tensor, and also a module that tensor \"{module}\" leaves; name \"{module}\" for the \
         module, the tensor by its node or index"
    )]
    TensorAndModule {
        /// What was asked for.
        wanted: String,
        /// What leaves the module.
        module: String,
    },
    /// A number that the listing does not have.
    #[error("no layer {index}: the network has {n}, from 0 to {} or from -1 to -{n}; see --list-layers", .n - 1)]
    Index {
        /// What was asked for.
        index: i64,
        /// Number of tensors.
        n: usize,
    },
    /// A list without a line that says something.
    #[error("names no layer; expected one address a line")]
    EmptyList,
}

/// The tensors that one address means.
struct Found {
    /// By position in the graph, ascending.
    tensors: Vec<usize>,
    /// How they were found; `None` by the tensor's own name.
    how: Option<&'static str>,
    /// What kind of name it is.
    kind: Kind,
}

/// Whether an address is a name, a number or a pattern.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Name,
    Index,
    Pattern,
}

impl Chosen {
    /// Adds the layers that `address` means.
    fn add(&mut self, address: &str, names: &Names) -> Result<(), LayerError> {
        let found = find(address, names)?;
        let tensor = |i: usize| names.tensors[i].name.as_str();
        if let Some(how) = found.how {
            self.notes.push(match found.tensors.as_slice() {
                [one] => format!("layer \"{address}\" is tensor \"{}\" ({how})", tensor(*one)),
                few if few.len() <= 4 => {
                    let few: Vec<&str> = few.iter().map(|&i| tensor(i)).collect();
                    format!("layer \"{address}\" is {} tensors ({how}): \"{}\"", few.len(), few.join("\", \""))
                }
                [first, .., last] => format!(
                    "layer \"{address}\" is {} tensors ({how}), from \"{}\" to \"{}\"",
                    found.tensors.len(),
                    tensor(*first),
                    tensor(*last)
                ),
                [] => String::new(),
            });
        }
        if let (Kind::Name, &[one]) = (found.kind, found.tensors.as_slice())
            && names.is_refolded(one)
        {
            self.notes.push(format!(
                "layer \"{address}\": the exporter folded the normalization behind this convolution into its weights; \
                 these are the values after it (export with do_constant_folding=False and training=PRESERVE to have \
                 both)"
            ));
        }
        let mut again: Vec<&str> = Vec::new();
        for &i in &found.tensors {
            let name = if found.kind == Kind::Name { address } else { tensor(i) };
            let choice = Choice { tensor: tensor(i).into(), name: name.into(), named: found.kind != Kind::Pattern };
            match self.choices.iter_mut().find(|earlier| earlier.tensor == choice.tensor) {
                Some(earlier) => {
                    again.push(tensor(i));
                    if choice.named && !earlier.named {
                        *earlier = choice;
                    }
                }
                None => self.choices.push(choice),
            }
        }
        match again.as_slice() {
            [] => {}
            [one] => self.notes.push(format!("layer \"{address}\": tensor \"{one}\" was asked for before; taken once")),
            [first, ..] => self.notes.push(format!(
                "layer \"{address}\": {} tensors, the first \"{first}\", were asked for before; taken once",
                again.len()
            )),
        }
        Ok(())
    }
}

fn find(address: &str, names: &Names) -> Result<Found, LayerError> {
    if let Some(tensor) = names.tensor(address) {
        if let Some(left) = names.module(address).filter(|&left| left != tensor) {
            let module = names.tensors[left].name.clone();
            return Err(LayerError::TensorAndModule { wanted: address.into(), module });
        }
        return Ok(Found { tensors: vec![tensor], how: None, kind: Kind::Name });
    }
    let mut meant: Vec<usize> = names.node(address).to_vec();
    let how = if meant.is_empty() { "module" } else { "node" };
    meant.extend(names.module(address));
    meant.sort_unstable();
    meant.dedup();
    match meant.as_slice() {
        [] => {}
        [_] => return Ok(Found { tensors: meant, how: Some(how), kind: Kind::Name }),
        several => {
            let tensors = several.iter().map(|&i| names.tensors[i].name.clone()).collect();
            return Err(LayerError::Ambiguous { wanted: address.into(), tensors });
        }
    }
    let (tensors, how) = if let Some(op) = address.strip_prefix('@') {
        ((0..names.tensors.len()).filter(|&i| names.tensors[i].op == op).collect(), "operator")
    } else if let Some(pattern) = address.strip_prefix("re:") {
        let regex = regex(pattern)?;
        (names.matching(|name| regex.is_match(name)), "regular expression")
    } else if let Ok(index) = address.parse::<i64>() {
        return at_index(index, names.tensors.len()).map(|i| Found {
            tensors: vec![i],
            how: Some("index"),
            kind: Kind::Index,
        });
    } else if address.contains(['*', '?', '[', '{']) {
        let matcher = glob(address)?;
        (names.matching(|name| matcher.is_match(name)), "glob")
    } else {
        (Vec::new(), "")
    };
    if tensors.is_empty() {
        return Err(LayerError::Unknown { wanted: address.into(), nearest: near(address, names) });
    }
    Ok(Found { tensors, how: Some(how), kind: Kind::Pattern })
}

/// The position that the listing's `index` has among `n` tensors; `-1` is the last.
fn at_index(index: i64, n: usize) -> Result<usize, LayerError> {
    let from_end = || usize::try_from(index.unsigned_abs()).ok().and_then(|back| n.checked_sub(back));
    let position = if index < 0 { from_end() } else { usize::try_from(index).ok().filter(|&i| i < n) };
    position.ok_or(LayerError::Index { index, n })
}

fn near(address: &str, names: &Names) -> Vec<String> {
    if address.starts_with('@') {
        let ops: Vec<String> = names.tensors.iter().map(|tensor| format!("@{}", tensor.op)).collect();
        return nearest(address, ops.iter().map(String::as_str));
    }
    nearest(address.strip_prefix("re:").unwrap_or(address), names.all())
}

fn regex(pattern: &str) -> Result<Regex, LayerError> {
    Regex::new(pattern).map_err(|error| {
        // The library draws the pattern with a mark under it, over several lines; its last line says what is wrong.
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or(&text).trim().trim_start_matches("error: ").to_string();
        LayerError::Pattern { pattern: format!("re:{pattern}"), reason }
    })
}

fn glob(pattern: &str) -> Result<GlobMatcher, LayerError> {
    GlobBuilder::new(pattern)
        .literal_separator(false)
        .build()
        .map(|glob| glob.compile_matcher())
        .map_err(|error| LayerError::Pattern { pattern: pattern.to_string(), reason: error.kind().to_string() })
}

/// The layers as they were asked for, those of a file last.
pub fn asked(job: &Job, named: &[String], from: Option<&Input>) -> Result<Vec<String>> {
    let mut asked = named.to_vec();
    if let Some(file) = from {
        let mut text = String::new();
        job.open(file)?.reader().read_to_string(&mut text).with_context(|| file.to_string())?;
        asked.extend(addresses(&text).with_context(|| file.to_string())?);
    }
    Ok(asked)
}

/// The addresses in a list: one a line, blank lines and those that begin with `#` left out.
fn addresses(list: &str) -> Result<Vec<String>, LayerError> {
    // Some editors mark a file as UTF-8 in front of its first line.
    let lines = list.trim_start_matches('\u{feff}').lines().map(str::trim);
    let addresses: Vec<String> =
        lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(String::from).collect();
    if addresses.is_empty() { Err(LayerError::EmptyList) } else { Ok(addresses) }
}

/// The tensors that `addresses` mean, in their order and, within a pattern, in that of the graph.
pub fn choose(addresses: &[String], graph: &Graph) -> Result<Chosen, LayerError> {
    let names = Names::of(graph);
    let mut chosen = Chosen::default();
    addresses.iter().try_for_each(|address| chosen.add(address, &names))?;
    Ok(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::onnx::{GraphBody, Model, Named, Node};
    use prost::Message;

    fn graph() -> Graph {
        let node = |name: &str, op: &str, input: &str, output: &str| Node {
            name: name.into(),
            ..Node::new(op, &[input], output)
        };
        let graph = GraphBody {
            node: vec![
                node("c1", "Conv", "x", "stem"),
                node("", "Relu", "stem", "block_00"),
                node("/layer4/relu/Relu", "Relu", "block_00", "/layer4/relu/Relu_output_0"),
                node("p", "GlobalAveragePool", "/layer4/relu/Relu_output_0", "pool"),
                node("p", "Flatten", "pool", "12"),
            ],
            input: vec![Named { name: "x".into() }],
            output: vec![Named { name: "12".into() }],
            ..GraphBody::default()
        };
        let bytes = Model { graph: Some(graph), ..Model::default() }.encode_to_vec();
        Graph::read(bytes).unwrap()
    }

    fn choose(addresses: &[&str]) -> Result<Chosen, LayerError> {
        let addresses: Vec<String> = addresses.iter().map(|address| address.to_string()).collect();
        super::choose(&addresses, &graph())
    }

    fn tensors(addresses: &[&str]) -> Vec<String> {
        choose(addresses).unwrap().choices.into_iter().map(|choice| choice.tensor).collect()
    }

    const RELU: &str = "/layer4/relu/Relu_output_0";

    #[test]
    fn every_kind_of_address_finds_its_tensors() {
        assert_eq!(tensors(&["pool", "c1"]), ["pool", "stem"]);
        assert_eq!(tensors(&["/layer4/relu/Relu"]), [RELU]);
        assert_eq!(tensors(&["layer4.relu", "layer4"]), [RELU]);
        assert_eq!(tensors(&["@Relu"]), ["block_00", RELU]);
        assert_eq!(tensors(&["0", "-2"]), ["stem", "pool"]);
        assert_eq!(tensors(&["12"]), ["12"], "a tensor of that name, not the thirteenth");
        assert_eq!(tensors(&["*layer4*", "stem"]), [RELU, "stem"]);
        assert_eq!(tensors(&["re:^layer4", "re:oo.$"]), [RELU, "pool"]);
        assert_eq!(tensors(&["pool", "*"]), ["pool", "stem", "block_00", RELU, "12"]);
    }

    #[test]
    fn a_tensor_with_the_name_of_another_module_is_not_guessed() {
        let node =
            |name: &str, input: &str, output: &str| Node { name: name.into(), ..Node::new("Gemm", &[input], output) };
        let body = GraphBody {
            node: vec![node("/stem/Gemm", "x", "linear"), node("/linear/Gemm", "linear", "linear_1")],
            input: vec![Named { name: "x".into() }],
            output: vec![Named { name: "linear_1".into() }],
            ..GraphBody::default()
        };
        let graph = Graph::read(Model { graph: Some(body), ..Model::default() }.encode_to_vec()).unwrap();
        let both = super::choose(&["linear".into()], &graph).unwrap_err();
        assert_eq!(both, LayerError::TensorAndModule { wanted: "linear".into(), module: "linear_1".into() });
        let named = super::choose(&["linear_1".into(), "stem".into()], &graph).unwrap();
        assert_eq!(named.choices.iter().map(|c| c.tensor.as_str()).collect::<Vec<_>>(), ["linear_1", "linear"]);
    }

    #[test]
    fn a_layer_is_called_as_it_was_asked_for() {
        let chosen = choose(&["*lock*", "layer4.relu", "0", "block_00", "c1"]).unwrap();
        let names: Vec<(&str, bool)> = chosen.choices.iter().map(|c| (c.name.as_str(), c.named)).collect();
        assert_eq!(names, [("block_00", true), ("layer4.relu", true), ("stem", true)]);
        assert_eq!(
            chosen.notes,
            [
                "layer \"*lock*\" is tensor \"block_00\" (glob)",
                "layer \"layer4.relu\" is tensor \"/layer4/relu/Relu_output_0\" (module)",
                "layer \"0\" is tensor \"stem\" (index)",
                "layer \"block_00\": tensor \"block_00\" was asked for before; taken once",
                "layer \"c1\" is tensor \"stem\" (node)",
                "layer \"c1\": tensor \"stem\" was asked for before; taken once",
            ]
        );
        let all = choose(&["*"]).unwrap();
        assert_eq!(all.notes, ["layer \"*\" is 5 tensors (glob), from \"stem\" to \"12\""]);
    }

    #[test]
    fn a_miss_names_what_is_near() {
        let error = choose(&["blok_00"]).unwrap_err();
        assert!(matches!(&error, LayerError::Unknown { nearest, .. } if nearest[0] == "block_00"), "{error}");
        let error = choose(&["layer4.rel"]).unwrap_err();
        assert!(error.to_string().starts_with("no layer \"layer4.rel\"; the nearest are \"layer4.relu\""), "{error}");
        let error = choose(&["@relu"]).unwrap_err();
        assert!(error.to_string().contains("the nearest are \"@Relu\", "), "{error}");
        for bad in ["nothing*", "[", "re:(", "re:nothing", "@", ""] {
            assert!(choose(&[bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_of_two_tensors_and_a_number_too_large_are_refused() {
        let error = choose(&["p"]).unwrap_err();
        assert_eq!(error.to_string(), "\"p\" is 2 tensors: \"pool\", \"12\"; name the tensor");
        let error = choose(&["-6"]).unwrap_err();
        assert!(
            error.to_string().starts_with("no layer -6: the network has 5, from 0 to 4 or from -1 to -5"),
            "{error}"
        );
        assert_eq!(choose(&["5"]).unwrap_err(), LayerError::Index { index: 5, n: 5 });
    }

    #[test]
    fn a_list_has_one_address_a_line() {
        assert_eq!(addresses("# these\r\npool\r\n\n  @Relu \n").unwrap(), ["pool", "@Relu"]);
        assert_eq!(addresses("#\n\n").unwrap_err(), LayerError::EmptyList);
    }
}
