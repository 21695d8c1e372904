//! The formats that are known, and what helps where one of them stands in the place of what was wanted.

use crate::marks::{
    after, has_brand, is_analyze, is_annex_pointer, is_json, is_markup, is_mgh, is_nifti, is_picture, is_safetensors,
    is_svg, is_xml_of, is_zip_with, starts,
};
use crate::{GIFTI, HDF5, MATLAB, MGH};

/// What to do about a file.
#[derive(Clone, Copy)]
pub enum Advice {
    /// It is not such a file; this helps.
    Not(&'static str),
    /// It is such a file in a format that is not read; this converts it.
    Unsupported(&'static str),
    /// It may be what was wanted.
    Fine,
}

use Advice::{Fine, Not, Unsupported};

/// A format: how it starts, what it is, and what to do by what was wanted.
pub struct Format {
    pub is: fn(&[u8]) -> bool,
    /// With its article.
    pub name: &'static str,
    /// Where an array or a table of numbers was wanted; `None` where the reader says it better.
    pub data: Option<&'static str>,
    pub picture: Advice,
    pub network: Advice,
    pub table: Advice,
}

/// A format that is no picture, no network and no table, and of which readers of arrays need not know.
const fn known(is: fn(&[u8]) -> bool, name: &'static str) -> Format {
    Format {
        is,
        name,
        data: None,
        picture: Not("give pictures, or a table, folder or list of them"),
        network: GIVE_NETWORK,
        table: Not("save it as CSV: a header line, then one line per stimulus"),
    }
}

impl Format {
    const fn data(self, remedy: &'static str) -> Self {
        Self { data: Some(remedy), ..self }
    }

    const fn picture(self, picture: Advice) -> Self {
        Self { picture, ..self }
    }

    const fn network(self, network: Advice) -> Self {
        Self { network, ..self }
    }

    const fn table(self, table: Advice) -> Self {
        Self { table, ..self }
    }

    /// The same advice whatever was wanted.
    const fn always(self, remedy: &'static str) -> Self {
        self.data(remedy).picture(Not(remedy)).network(Not(remedy)).table(Not(remedy))
    }
}

pub const GIVE_NETWORK: Advice = Not("give the .onnx file of the network");
pub const LIST_OF_PICTURES: Advice = Not("a list of pictures goes to stdin (give -), a table is named .csv or .tsv");
const DOWNLOAD: Advice =
    Not("it is what a server sent instead of the file: download it anew, signed in or by its direct link");
const SAVE_PICTURES: Advice = Not("save its pictures as PNG");
const TO_PNG: Advice = Unsupported("convert it to PNG, with ImageMagick (magick FILE FILE.png) or Pillow");
const TO_8_BITS: Advice = Unsupported("map its values to 8 bits and save it as PNG");
const FRAMES: Advice = Not("take pictures out of it: ffmpeg -i FILE FRAMES/%05d.png");
const EXPORT: Advice = Not("export the network to ONNX: torch.onnx.export, or optimum-cli export onnx");
const TO_CSV: &str = "save it as CSV UTF-8";
const LOAD_TORCH: &str = "convert it: numpy.save(\"x.npy\", torch.load(\"x.pt\", map_location=\"cpu\").numpy())";

/// The special before the general.
pub const FORMATS: &[Format] = &[
    known(|b| starts(b, &[b"version https://git-lfs", b"version https://hawser"]), "a Git LFS pointer, not the data")
        .always("fetch the data with `git lfs pull`"),
    known(is_annex_pointer, "a git-annex pointer, not the data")
        .always("fetch the data with `datalad get` or `git annex get`"),
    known(is_svg, "an SVG drawing").picture(Unsupported("draw it as PNG: rsvg-convert FILE -o FILE.png")),
    known(
        |b| is_markup(b, &[b"<!doctype html", b"<html", b"<head", b"<body", b"<script"]),
        "a web page (HTML), not the data",
    )
    .data("download the file itself; such a page is often a login or an error")
    .picture(DOWNLOAD)
    .network(DOWNLOAD)
    .table(DOWNLOAD),
    known(|b| is_xml_of(b, b"<gifti"), GIFTI.name).data(GIFTI.remedy),
    known(|b| is_markup(b, &[b"<?xml"]) && is_xml_of(b, b"<net"), "an OpenVINO network")
        .network(Unsupported("export the network it was made from to ONNX")),
    known(|b| is_markup(b, &[b"<?xml", b"<error"]), "an XML file")
        .data("give the data as an array or a table")
        .picture(DOWNLOAD)
        .network(DOWNLOAD),
    known(|b| b.starts_with(b"%PDF"), "a PDF document")
        .data("give the data behind it")
        .picture(Not("take its pictures out with pdfimages -png FILE, or draw a page with pdftoppm -png FILE")),
    known(|b| starts(b, &[b"%!PS", b"\xC5\xD0\xD3\xC6"]), "a PostScript drawing").picture(TO_PNG),
    known(|b| has_brand(b, &[b"avif", b"avis"]), "an AVIF picture")
        .picture(Unsupported("convert it to PNG: avifdec FILE FILE.png")),
    known(|b| has_brand(b, &[b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"]), "a HEIC picture")
        .picture(Unsupported("convert it to PNG: heif-convert FILE FILE.png")),
    known(
        |b| {
            after(b, 4, b"ftyp")
                || b.starts_with(b"\x1A\x45\xDF\xA3")
                || (b.starts_with(b"RIFF") && after(b, 8, b"AVI "))
        },
        "a video",
    )
    .picture(FRAMES),
    known(|b| starts(b, &[b"\0\0\0\x0CJXL ", b"\xFF\x0A"]), "a JPEG XL picture")
        .picture(Unsupported("convert it to PNG: djxl FILE FILE.png")),
    known(|b| starts(b, &[b"\0\0\0\x0CjP  ", b"\xFF\x4F\xFF\x51"]), "a JPEG 2000 picture")
        .picture(Unsupported("convert it to PNG: opj_decompress -i FILE -o FILE.png")),
    known(|b| b.starts_with(b"II\xBC\x01"), "a JPEG XR picture").picture(TO_PNG),
    known(|b| starts(b, &[b"II+\0", b"MM\0+"]), "a BigTIFF").picture(TO_PNG),
    known(|b| b.starts_with(b"8BPS"), "a Photoshop document").picture(TO_PNG),
    known(|b| starts(b, &[b"\0\0\x01\0", b"\0\0\x02\0"]), "an icon or a TGA picture").picture(TO_PNG),
    known(|b| b.starts_with(b"\x76\x2F\x31\x01"), "an OpenEXR picture").picture(TO_8_BITS),
    known(|b| starts(b, &[b"#?RADIANCE", b"#?RGBE"]), "a Radiance HDR picture").picture(TO_8_BITS),
    known(|b| starts(b, &[b"PF\n", b"Pf\n"]), "a PFM picture of floating-point numbers").picture(TO_8_BITS),
    known(|b| b.starts_with(b"DDS "), "a DDS texture").picture(TO_PNG),
    known(|b| b.starts_with(b"qoif"), "a QOI picture").picture(TO_PNG),
    known(|b| b.starts_with(b"\x93NUMPY"), "a NumPy array")
        .picture(Not("save it as pictures with Pillow: Image.fromarray(a).save(\"x.png\")")),
    known(|b| starts(b, &[b"\x89HDF\r\n\x1A\n", b"MATLAB 7.3 MAT-file"]), HDF5.name)
        .data(HDF5.remedy)
        .picture(SAVE_PICTURES)
        .network(Not("a Keras network becomes ONNX with tf2onnx (python -m tf2onnx.convert)")),
    known(|b| b.starts_with(b"MATLAB 5.0"), MATLAB.name)
        .data(MATLAB.remedy)
        .picture(Not("save its pictures as PNG (imwrite)"))
        .network(EXPORT)
        .table(Not("save it as CSV (writetable)")),
    known(
        |b| is_zip_with(b, &[b"data.pkl"]) || b.starts_with(b"\x80\x02\x8a\x0al\xfc\x9cF"),
        "a PyTorch file (.pt, .pth)",
    )
    .data(LOAD_TORCH)
    .network(EXPORT),
    known(|b| is_zip_with(b, &[b"[Content_Types].xml", b"xl/"]), "an Excel workbook (.xlsx)")
        .data(TO_CSV)
        .picture(Not("save it as CSV: a header line, then one line per stimulus")),
    known(|b| is_zip_with(b, &[b".npy"]), "a NumPy archive (.npz)")
        .data("from a file: x.npz:NAME, or take one array out: numpy.save(\"x.npy\", numpy.load(\"x.npz\")[\"NAME\"])")
        .picture(SAVE_PICTURES),
    known(|b| is_zip_with(b, &[b"model.weights.h5"]), "a Keras network")
        .network(Not("make ONNX of it with tf2onnx, or model.export(FILE, format=\"onnx\")")),
    known(|b| is_zip_with(b, &[]), "a zip archive").always("unpack it with `unzip`"),
    known(|b| b.starts_with(b"\x1F\x8B"), "compressed with gzip (.gz, .nii.gz, .mgz)")
        .always("unpack it with `gzip -dc`")
        .data("unpack it with `gzip -dc`; an image: numpy.save(\"x.npy\", nibabel.load(\"x.mgz\").get_fdata())"),
    known(|b| b.starts_with(b"BZh"), "compressed with bzip2").always("unpack it with `bzip2 -dc`"),
    known(|b| b.starts_with(b"\xFD7zXZ\0"), "compressed with xz").always("unpack it with `xz -dc`"),
    known(|b| b.starts_with(b"\x28\xB5\x2F\xFD"), "compressed with zstd").always("unpack it with `zstd -dc`"),
    known(|b| starts(b, &[b"7z\xBC\xAF", b"Rar!"]) || after(b, 257, b"ustar"), "an archive").always("unpack it first"),
    known(|b| b.starts_with(b"PAR1"), "a Parquet file")
        .data("convert it: pandas.read_parquet(\"x.parquet\").to_csv(\"x.csv\", index=False)"),
    known(|b| b.starts_with(b"ARROW1"), "an Arrow (Feather) file")
        .data("convert it: pandas.read_feather(\"x.feather\").to_csv(\"x.csv\", index=False)"),
    known(|b| b.starts_with(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"), "an Excel workbook (.xls)").data(TO_CSV),
    known(|b| b.starts_with(b"SQLite format 3\0"), "an SQLite database").data("export the table as CSV"),
    known(|b| b.starts_with(b"CDF\x01"), "a netCDF file")
        .data("convert it: numpy.save(\"x.npy\", xarray.open_dataset(\"x.nc\")[\"NAME\"].values)"),
    known(|b| b.starts_with(b"NRRD000"), "an NRRD image (.nrrd)")
        .data("convert it: `ConvertBetweenFileFormats x.nrrd x.nii.gz`"),
    known(|b| b.starts_with(b"ObjectType = Image"), "a MetaImage (.mha, .mhd)")
        .data("convert it: SimpleITK.WriteImage(SimpleITK.ReadImage(\"x.mha\"), \"x.nii.gz\")"),
    known(
        |b| starts(b, &[b"\ntype  = ", b"type  = ", b"\ntype = ", b"type = "]),
        "the header of an AFNI image (.HEAD)",
    )
    .data("convert it with its .BRIK: `3dAFNItoNIFTI x+orig.HEAD`"),
    known(|b| starts(b, &[b"RDX2\n", b"RDX3\n", b"X\n\0\0\0"]), "an R data file")
        .data("write it with write.csv(x, \"x.csv\", row.names = FALSE, fileEncoding = \"UTF-8\")"),
    known(is_safetensors, "a safetensors file of weights").network(EXPORT),
    known(|b| matches!(b, [0x80, 2..=5, ..]), "a Python pickle")
        .data("convert it: numpy.save(\"x.npy\", pickle.load(open(\"x.pkl\", \"rb\")))")
        .network(EXPORT),
    known(|b| after(b, 4, b"TFL3"), "a TensorFlow Lite network")
        .network(Unsupported("make ONNX of it: python -m tf2onnx.convert --tflite FILE --output FILE.onnx")),
    known(|b| after(b, 4, b"ORTM"), "a network in ONNX Runtime's own format (.ort), whose layers cannot be cut out")
        .network(Unsupported("give the .onnx file that it was made from")),
    known(|b| b.starts_with(b"GGUF"), "a GGUF file of weights").network(EXPORT),
    known(|b| starts(b, &[b"ftrt", b"ptrt"]), "a TensorRT engine")
        .network(Unsupported("give the .onnx file that it was built from")),
    known(is_picture, "a picture")
        .data("give the array or table made from it")
        .picture(Fine)
        .network(Not("the network comes first, then the pictures"))
        .table(Not("a table is CSV or TSV; pictures are given by their names")),
    known(|b| b.starts_with(b"\x7fELF"), "a program").data("give the file that it writes"),
    known(is_json, "a JSON file"),
    known(|b| after(b, 128, b"DICM"), "a DICOM file (.dcm)")
        .data("convert the folder of the series: `dcm2niix -z y FOLDER`"),
    known(|b| after(b, 344, b"ni1"), "the header of a NIfTI pair (.hdr, .img)")
        .data("make one file of it: nibabel.save(nibabel.load(\"x.hdr\"), \"x.nii\")"),
    known(is_nifti, "a NIfTI image (.nii)").data(
        "`fmri-roi extract` makes arrays of images, or numpy.save(\"x.npy\", nibabel.load(\"x.nii\").get_fdata())",
    ),
    known(is_analyze, "an ANALYZE header (.hdr)")
        .data("convert the pair: nibabel.save(nibabel.Nifti1Image.from_image(nibabel.load(\"x.hdr\")), \"x.nii\")"),
    known(is_mgh, MGH.name).data(MGH.remedy),
];
