//! `scripts/export-onnx.py`: networks of torch become ONNX files whose layers `ann-acts` finds by their modules' names.
//!
//! What `ann-acts` gives is compared with torch's forward hooks on the very input that `ann-acts` made
//! (`--dump-input`). Weights are random: trained ones would have to be downloaded. Needs a Python with torch, that of
//! `CATSEL_TORCH_PYTHON` or `python3`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::*;

const EXPORTERS: [&str; 2] = ["dynamo", "torchscript"];

/// Of the largest value of a layer: torch and ONNX Runtime add up to 4608 products of f4 in different orders, and some
/// twenty layers follow each other; 1e-6 was seen.
const TOLERANCE: f64 = 1e-5;

/// A network in which a ReLU and a convolution are called twice, a normalization would be folded away, a ReLU works in
/// place, and a Dropout does nothing.
const NETWORK: &str = r#"
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1)
        self.bn = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        with torch.no_grad():
            self.bn.running_mean.uniform_(-1, 1)
            self.bn.running_var.uniform_(0.5, 2)

    def forward(self, x):
        return self.relu(x + self.conv2(self.relu(self.bn(self.conv(x)))))


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 4, stride=4)
        self.stages = nn.Sequential(Block(), Block())
        self.shared = nn.Conv2d(8, 8, 3, padding=1)
        self.act = nn.Tanh()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.stages(self.stem(x))
        x = self.shared(self.act(self.shared(x)))
        return self.head(self.drop(self.pool(x).flatten(1)))
"#;

/// The transform of a network of one's own: proportions that a ratio of sides does not hold exactly.
const TRANSFORM: &str = r#"
from torchvision import transforms

keeps = transforms.Compose([
    transforms.Resize(43, interpolation=transforms.InterpolationMode.BICUBIC),
    transforms.CenterCrop(40),
    transforms.ToTensor(),
    transforms.Normalize([0.4, 0.5, 0.6], [0.2, 0.25, 0.3]),
])
flips = transforms.Compose([transforms.Resize((40, 40)), transforms.RandomHorizontalFlip(), transforms.ToTensor()])
oblong = transforms.Compose([transforms.Resize(64), transforms.CenterCrop((40, 48)), transforms.ToTensor()])
tensors = transforms.Compose([transforms.ToTensor(), transforms.Resize((40, 40))])
"#;

/// Writes `torch/LAYER.npy` for every module and call, from `dump.npy`; `input.npy` is what the transform makes of the
/// pictures, where one is named.
const REFERENCE: &str = r#"
import importlib
import pathlib
import sys

import numpy as np
import torch

sys.path.insert(0, ".")
make, size, transform, *pictures = sys.argv[1:]
torch.manual_seed(1)
names = {}
for library in ("network", "steps", "timm", "torchvision"):
    if f"{library}." in make + transform:
        names[library] = importlib.import_module(library)
model = names["model"] = eval(make, names).eval()
torch.backends.mha.set_fastpath_enabled(False)
height, width = map(int, size.split("x"))
x = torch.from_numpy(np.load("dump.npy")).reshape(-1, 3, height, width)
calls = {}
pathlib.Path("torch").mkdir(exist_ok=True)


def hook(name):
    def keep(module, inputs, output):
        n = calls[name] = calls.get(name, -1) + 1
        np.save(f"torch/{name}_{n}.npy" if n else f"torch/{name}.npy", output.clone().flatten(1).numpy())

    return keep


for name, module in model.named_modules():
    if name:
        module.register_forward_hook(hook(name))
with torch.no_grad():
    model(x)
if transform:
    from PIL import Image

    prepare = eval(transform, names)
    made = [np.asarray(prepare(Image.open(path).convert("RGB"))).reshape(-1) for path in pictures]
    np.save("input.npy", np.stack(made))
"#;

fn imports(python: &Path, modules: &str) -> bool {
    Command::new(python).args(["-c", &format!("import {modules}")]).output().is_ok_and(|out| out.status.success())
}

/// A Python that has these packages; `None`, and a line that says so, where there is none.
fn python_with(modules: &str) -> Option<PathBuf> {
    let python = std::env::var_os("CATSEL_TORCH_PYTHON").map_or_else(|| "python3".into(), PathBuf::from);
    let modules = format!("torch, onnx, onnxscript, onnxruntime, numpy, PIL, {modules}");
    let modules = modules.trim_end_matches(", ");
    if imports(&python, modules) {
        return Some(python);
    }
    skipped(&format!("{} cannot import {modules} (set CATSEL_TORCH_PYTHON)", python.display()));
    None
}

/// A folder with pictures, the network, its transforms and the reference.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("pictures")).unwrap();
    for (i, (width, height)) in [(300usize, 280usize), (271, 300), (333, 257)].into_iter().enumerate() {
        let mut bytes = format!("P6 {width} {height} 255\n").into_bytes();
        let levels = noise(height * width, 3, 7 + i as u64);
        // Smooth in one direction, noisy in the other, so that layers differ between pictures.
        bytes.extend(levels.indexed_iter().map(|((pixel, colour), level)| {
            let wave = ((pixel % width) as f64 / (20.0 + 9.0 * (i + colour) as f64)).sin();
            (127.0 + 80.0 * wave + 40.0 * level) as u8
        }));
        fs::write(dir.path().join(format!("pictures/{i}.ppm")), bytes).unwrap();
    }
    for (name, text) in [("network.py", NETWORK), ("steps.py", TRANSFORM), ("reference.py", REFERENCE)] {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

/// Runs the script, `-B` so that nothing is written beside it.
fn export(python: &Path, dir: &Path, line: &str) -> Outcome {
    let script = root().join("scripts/export-onnx.py");
    let out =
        Command::new(python).arg("-B").arg(script).args(line.split_whitespace()).current_dir(dir).output().unwrap();
    Outcome {
        code: out.status.code().unwrap_or(-1),
        stdout: out.stdout,
        stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
    }
}

/// A network, how torch makes the same one, and its layers.
struct Case<'a> {
    export: &'a str,
    torch: &'a str,
    /// Height x width of the network's input.
    size: &'a str,
    /// The transform of its pictures, where torch has one.
    transform: &'a str,
    /// No two of the same tensor, which ann-acts writes once.
    layers: &'a [&'a str],
}

/// Exports with both exporters, and compares layers and input with torch's.
#[track_caller]
fn agrees(python: &Path, case: &Case) {
    let folder = folder();
    let dir = folder.path();
    for exporter in EXPORTERS {
        let said = export(python, dir, &format!("{} --exporter {exporter} -o {exporter}/model.onnx", case.export));
        assert_eq!(said.code, 0, "{}", said.stderr);
        println!("{}", said.stderr);
        let listing = run(dir, &format!("ann-acts {exporter}/model.onnx --list-layers")).text();
        let listed = rows(&listing);
        println!("{exporter} {}: {} tensors listed", case.export, listed.len());
        assert!(listed.iter().all(|row| !row["module"].starts_with('_')), "{listing}");
        let layers: String = case.layers.iter().map(|layer| format!(" --layer {layer}")).collect();
        let line = format!("ann-acts {exporter}/model.onnx{layers} --dump-input dump.npy --out-dir acts pictures");
        let out = run(dir, &line);
        assert!(out.stderr.contains(&format!("taking {exporter}/config.json (timm")), "{}", out.stderr);
        out.ok();
        let reference = Command::new(python)
            .args(["-B", "reference.py", case.torch, case.size, case.transform])
            .args(["pictures/0.ppm", "pictures/1.ppm", "pictures/2.ppm"])
            .current_dir(dir)
            .output()
            .unwrap();
        assert!(reference.status.success(), "{}", String::from_utf8_lossy(&reference.stderr));
        let values = |path: String| matrix(&fs::read(dir.join(path)).unwrap()).0;
        if !case.transform.is_empty() {
            assert!(values("input.npy".into()) == values("dump.npy".into()), "{exporter}: prepared otherwise");
        }
        let mut worst = (0.0, "");
        for layer in case.layers {
            let (found, expected) = (values(format!("acts/{layer}.npy")), values(format!("torch/{layer}.npy")));
            assert_eq!(found.dim(), expected.dim(), "{exporter} {layer}");
            let largest = expected.iter().fold(0f64, |most, value| most.max(value.abs()));
            let apart = (&found - &expected).iter().fold(0f64, |most, value| most.max(value.abs()));
            assert!(apart <= TOLERANCE * largest, "{exporter} {layer}: {apart} of {largest}");
            if apart / largest > worst.0 {
                worst = (apart / largest, layer);
            }
        }
        println!("{exporter} {}: {} layers, worst {:.1e} ({})", case.export, case.layers.len(), worst.0, worst.1);
        fs::remove_dir_all(dir.join("acts")).unwrap();
    }
}

#[test]
fn layers_of_a_network_of_ones_own_are_those_of_forward_hooks() {
    let Some(python) = python_with("") else { return };
    let layers = [
        "stem",
        "stages",
        "stages.0.conv",
        "stages.0.bn",
        "stages.0.relu",
        "stages.0.relu_1",
        "stages.1.conv2",
        "shared",
        "act",
        "shared_1",
        "pool",
        "head",
    ];
    let export = "network.py:Network --seed 1 --size 64x48 --mean 0.5,0.4,0.3 --std 0.25";
    agrees(&python, &Case { export, torch: "network.Network()", size: "64x48", transform: "", layers: &layers });
}

#[test]
fn a_transform_comes_over_exactly_or_is_refused_by_name() {
    let Some(python) = python_with("torchvision") else { return };
    let case = Case {
        export: "network.py:Network --seed 1 --transform steps.py:keeps",
        torch: "network.Network()",
        size: "40x40",
        transform: "steps.keeps",
        layers: &["stem", "head"],
    };
    agrees(&python, &case);
    let folder = folder();
    for (name, part) in [
        ("flips", "the transform RandomHorizontalFlip at its place cannot be followed"),
        ("oblong", "give ann-acts --preprocess raw01 --resize 64 --crop 40x48 --interpolation bilinear"),
        ("tensors", "Resize stands behind ToTensor"),
    ] {
        let line = format!("network.py:Network --transform steps.py:{name} -o refused/model.onnx");
        let out = export(&python, folder.path(), &line);
        assert!(out.code == 1 && out.stderr.contains(part), "{name}: {}", out.stderr);
    }
    assert!(!folder.path().join("refused").exists());
}

#[test]
fn torchvisions_resnet18_is_the_same_through_both_exporters() {
    let Some(python) = python_with("torchvision") else { return };
    let case = Case {
        export: "torchvision:resnet18 --no-pretrained --seed 1",
        torch: "torchvision.models.resnet18(weights=None)",
        size: "224x224",
        transform: "torchvision.models.ResNet18_Weights.DEFAULT.transforms()",
        layers: &[
            "conv1",
            "bn1",
            "relu",
            "layer1",
            "layer2.0.downsample.1",
            "layer3.1.bn2",
            "layer4.1.relu",
            "layer4.1.relu_1",
            "avgpool",
            "fc",
        ],
    };
    agrees(&python, &case);
}

#[test]
fn timms_vit_is_the_same_through_both_exporters() {
    let Some(python) = python_with("timm, torchvision") else { return };
    let case = Case {
        export: "timm:vit_tiny_patch16_224 --no-pretrained --seed 1",
        torch: "timm.create_model('vit_tiny_patch16_224', pretrained=False)",
        size: "224x224",
        transform: "timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)",
        layers: &[
            "patch_embed.proj",
            "patch_embed",
            "blocks.0.norm1",
            "blocks.0.attn.qkv",
            "blocks.0.attn",
            "blocks.5.mlp.act",
            "blocks.11",
            "norm",
            "head",
        ],
    };
    agrees(&python, &case);
}

#[test]
fn a_file_that_is_not_the_network_is_never_left_behind() {
    let Some(python) = python_with("") else { return };
    let folder = folder();
    let dir = folder.path();
    let steps = "network.py:Network --size 32 --mean 0.5 --std 0.5";
    // No difference is below -1.
    let out = export(&python, dir, &format!("{steps} -o new/deep/model.onnx --tolerance -1"));
    assert!(out.code == 1 && out.stderr.contains("differs from torch by"), "{}", out.stderr);
    assert!(!dir.join("new").exists());
    export(&python, dir, &format!("{steps} -o net/model.onnx --external-data")).ok();
    assert!(dir.join("net/model.onnx.data").exists());
    let before = fs::read(dir.join("net/model.onnx")).unwrap();
    export(&python, dir, &format!("{steps} -o net/model.onnx --seed 2 --tolerance -1"));
    assert_eq!(fs::read(dir.join("net/model.onnx")).unwrap(), before);
    run(dir, "ann-acts net/model.onnx --layer head pictures -o head.npy").ok();
    let out = export(&python, dir, &format!("{steps} -o net/other.onnx"));
    assert!(out.code == 1 && out.stderr.contains("config.json is there and belongs to model.onnx"), "{}", out.stderr);
    fs::write(dir.join("preprocessor_config.json"), "{}").unwrap();
    let out = export(&python, dir, &format!("{steps} -o model.onnx"));
    assert!(out.code == 1 && out.stderr.contains("ann-acts follows it before config.json"), "{}", out.stderr);
    let mut left: Vec<String> =
        fs::read_dir(dir.join("net")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    left.sort();
    assert_eq!(left, ["config.json", "model.onnx", "model.onnx.data"]);
}

/// `-S` hides what is installed, so this needs a plain Python alone.
#[test]
fn without_torch_the_script_says_what_to_install() {
    if !imports(Path::new("python3"), "sys") {
        skipped("no python3");
        return;
    }
    let script = root().join("scripts/export-onnx.py");
    let run = |arguments: &[&str]| {
        let out = Command::new("python3").args(["-I", "-S", "-B"]).arg(&script).args(arguments).output().unwrap();
        (out.status.code(), String::from_utf8_lossy(&out.stderr).into_owned())
    };
    let (code, said) = run(&["torchvision:resnet18", "-o", "model.onnx"]);
    assert!(code == Some(1) && said.contains("-m pip install torch\n"), "{said}");
    let (code, said) = run(&["mymodule.py:make_model", "-o", "model.onnx"]);
    assert!(code == Some(2) && said.contains("how are pictures prepared? give --size"), "{said}");
}

/// The lines between fences of this language, with the text block that follows, if one does before the next.
fn blocks(page: &str, language: &str) -> Vec<(String, Option<String>)> {
    let mut found: Vec<(String, Option<String>)> = Vec::new();
    let mut is_next = false;
    for (i, part) in page.split("```").enumerate().filter(|(i, _)| i % 2 == 1) {
        let (kind, text) = part.split_once('\n').unwrap_or_else(|| panic!("fence {i} has no line"));
        match kind {
            kind if kind == language => found.push((text.to_string(), None)),
            "text" if is_next => found.last_mut().unwrap().1 = Some(text.to_string()),
            _ => {}
        }
        is_next = kind == language;
    }
    found
}

/// Blocks marked `sh` run in order; `sh internet` ones cannot run here. Outputs shown are those that come out.
#[test]
fn the_page_and_the_help_say_what_happens() {
    let Some(python) = python_with("torchvision, timm") else { return };
    let page = fs::read_to_string(root().join("crates/ann-acts/from-pytorch.md")).unwrap();
    assert!(page.lines().all(|line| line.chars().count() <= 120));
    let folder = folder();
    let dir = folder.path();
    fs::create_dir(dir.join("bin")).unwrap();
    let shim = format!("#!/bin/sh\nexec '{}' -B \"$@\"\n", python.display());
    fs::write(dir.join("bin/python3"), shim).unwrap();
    std::os::unix::fs::symlink(root().join("scripts"), dir.join("scripts")).unwrap();
    sh(dir, "chmod +x bin/python3").ok();
    fs::write(dir.join("mymodule.py"), &blocks(&page, "python")[0].0).unwrap();
    let commands = blocks(&page, "sh");
    assert!(commands.len() > 4);
    for (command, shown) in commands {
        let out = sh(dir, &format!("export PATH=\"$PWD/bin:$PATH\"\n{command}"));
        assert_eq!(out.code, 0, "{command}: {}", out.stderr);
        if let Some(shown) = shown {
            assert_eq!(String::from_utf8_lossy(&out.stdout), shown, "{command}");
        }
    }
    let help = sh(dir, "export PATH=\"$PWD/bin:$PATH\"\nscripts/export-onnx.py --help").text();
    let examples: Vec<&str> = help.lines().filter(|line| line.starts_with("  scripts/export-onnx.py ")).collect();
    assert_eq!(examples.len(), 3);
    for example in examples {
        // Random weights in the place of those that would be downloaded.
        let random = if example.contains("torchvision:") { " --no-pretrained" } else { "" };
        let place = example.replace(" -o ", " -o help/");
        sh(dir, &format!("export PATH=\"$PWD/bin:$PATH\"\nset -e\n{place}{random}")).ok();
    }
}
