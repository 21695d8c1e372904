"""Maps on a mesh: nilearn, SciPy, nibabel.

testdata/golden/meshes/left.surf.gii  a ball of 162 vertices (an icosahedron cut twice, radius 30 mm, dented), nibabel's GIFTI
testdata/golden/meshes/lh.ball        the same in FreeSurfer's format (nibabel's write_geometry), without a hemisphere
testdata/golden/meshes/maps.func.gii  7 subjects' maps (f4) on it; vertex 5 is constant
testdata/golden/meshes/t.func.gii     a smooth t map (f4) on it
testdata/golden/meshes/clusters.json  threshold -> clusters of the t map by nilearn's get_clusters_table of a SurfaceImage (peak, vertices)
                                      and their areas; of every vertex its area (a third of every triangle at it) and the way to it from
                                      vertex 0 along edges (scipy.sparse.csgraph.dijkstra)
testdata/golden/meshes/permutations.json  all 128 sign flips of the maps: exact TFCE (E .5, H 2) of the observed map, and p corrected over
                                      vertices of TFCE, cluster mass and cluster extent (t 1.5); clusters by
                                      scipy.sparse.csgraph.connected_components on nilearn's adjacency
"""

import pathlib
import tempfile

import numpy as np
import scipy.sparse
from nibabel import gifti
from nibabel.freesurfer.io import write_geometry
from nilearn.reporting import get_clusters_table
from nilearn.surface import InMemoryMesh, PolyMesh, SurfaceImage
from nilearn.surface.surface import compute_adjacency_matrix
from scipy.sparse.csgraph import connected_components, dijkstra

from golden.files import random
from golden.fmri import least_squares_t


def ball():
    golden = (1 + 5**0.5) / 2
    points = [p for a in (-1, 1) for b in (-golden, golden) for p in ((0, a, b), (a, b, 0), (b, 0, a))]
    points = [np.array(p) / np.linalg.norm(p) for p in points]
    edge = min(np.linalg.norm(points[0] - p) for p in points[1:])
    near = [[j for j in range(12) if j != i and np.linalg.norm(points[i] - points[j]) < edge * 1.01] for i in range(12)]
    faces = [(i, j, k) for i in range(12) for j in near[i] for k in near[i] if i < j < k and k in near[j]]
    for _ in range(2):
        middles, cut = {}, []
        for face in faces:
            halves = []
            for a, b in ((0, 1), (1, 2), (2, 0)):
                pair = tuple(sorted((face[a], face[b])))
                if pair not in middles:
                    middle = points[pair[0]] + points[pair[1]]
                    middles[pair] = len(points)
                    points.append(middle / np.linalg.norm(middle))
                halves.append(middles[pair])
            ab, bc, ca = halves
            a, b, c = face
            cut += [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
        faces = cut
    return np.array(points), np.array(faces, dtype="i4")


def surface(points, faces, structure):
    meta = gifti.GiftiMetaData({"AnatomicalStructurePrimary": structure})
    arrays = [
        gifti.GiftiDataArray(points.astype("f4"), intent="NIFTI_INTENT_POINTSET", datatype="NIFTI_TYPE_FLOAT32", meta=meta),
        gifti.GiftiDataArray(faces, intent="NIFTI_INTENT_TRIANGLE", datatype="NIFTI_TYPE_INT32"),
    ]
    return gifti.GiftiImage(darrays=arrays).to_bytes()


def maps_of(rows, structure):
    arrays = [gifti.GiftiDataArray(row.astype("f4"), intent="NIFTI_INTENT_NONE", datatype="NIFTI_TYPE_FLOAT32") for row in rows]
    return gifti.GiftiImage(darrays=arrays, meta=gifti.GiftiMetaData({"AnatomicalStructurePrimary": structure})).to_bytes()


def areas_of(points, faces):
    a, b, c = (points[faces[:, corner]].astype(np.float64) for corner in range(3))
    thirds = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 6
    areas = np.zeros(len(points))
    for corner in range(3):
        np.add.at(areas, faces[:, corner], thirds)
    return areas


def clusters_above(adjacency, values, threshold):
    inside = np.flatnonzero(values > threshold)
    n, labels = connected_components(adjacency[inside][:, inside], directed=False)
    return [inside[labels == label] for label in range(n)]


def tfce(adjacency, values):
    """The integral of extent^.5 h^2 dh, from value to value that occurs."""
    sums = np.zeros(len(values))
    heights = np.unique(np.concatenate([[0.0], values[values > 0]]))
    for low, high in zip(heights[:-1], heights[1:]):
        for members in clusters_above(adjacency, values, low):
            sums[members] += len(members) ** 0.5 * (high**3 - low**3) / 3
    return sums


def permutations(adjacency, maps):
    usable = [vertex for vertex in range(maps.shape[1]) if vertex != 5]
    adjacency = adjacency[usable][:, usable]
    y, n = maps.astype(np.float64)[:, usable], len(maps)
    signs = np.array([[-1.0 if number >> row & 1 else 1.0 for row in range(n)] for number in range(2**n)])
    all_t = [least_squares_t(s[:, None] * y, np.ones((n, 1))) for s in signs]
    threshold = 1.5

    def of_clusters(t, measure):
        out = np.zeros(len(t))
        for members in clusters_above(adjacency, t, threshold):
            out[members] = measure(t[members])
        return out

    measures = {
        "tfce": lambda t: tfce(adjacency, t),
        "cluster_mass": lambda t: of_clusters(t, lambda values: (values - threshold).sum()),
        "cluster_extent": lambda t: of_clusters(t, len),
    }
    found = {"vertices": usable, "cluster_t": threshold}
    for name, measure in measures.items():
        observed = measure(all_t[0])
        largest = np.array([measure(t).max() for t in all_t])
        p = [float(np.mean(largest >= o - 1e-9 * abs(o))) for o in observed]
        found[name] = {"observed": observed, "p": p}
    return found


def clusters(mesh, t, areas, threshold):
    kept = np.where(t > threshold, t, 0).astype("f4")
    image = SurfaceImage(mesh=PolyMesh(left=mesh), data={"left": kept})
    table = get_clusters_table(image, stat_threshold=threshold, two_sided=False)
    rows = [{"t": float(t), "n": int(n)} for t, n in zip(table["Peak Stat"], table["Cluster Size (vertices)"])]
    adjacency = compute_adjacency_matrix(mesh)
    mm2 = {float(t[members].max()): float(areas[members].sum()) for members in clusters_above(adjacency, t, threshold)}
    return [row | {"mm2": mm2[row["t"]]} for row in sorted(rows, key=lambda row: -row["t"])]


def make(testdata):
    rng = random(71)
    points, faces = ball()
    points = 30 * points * (1 + 0.15 * np.sin(3 * points[:, :1]))
    points = points.astype("f4")
    mesh = InMemoryMesh(coordinates=points, faces=faces)
    adjacency = compute_adjacency_matrix(mesh)
    around = scipy.sparse.diags(1 / np.asarray(adjacency.sum(1)).ravel()) @ adjacency

    def even(rows):
        return rows + 2 * (around @ rows.T).T

    maps = even(rng.normal(size=(7, len(points)))) + 2.5 * (points[:, 2] > 22)
    maps = maps.astype("<f4")
    maps[:, 5] = 1.5
    t = (2.2 * even(even(rng.normal(size=(1, len(points)))))[0]).astype("<f4")
    lengths = compute_adjacency_matrix(mesh, values="invlen", dtype=np.float64)
    lengths.data = 1 / lengths.data
    areas = areas_of(points, faces)
    testdata.write("golden/meshes/left.surf.gii", surface(points, faces, "CortexLeft"))
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "lh.ball"
        write_geometry(path, points, faces, create_stamp="created by golden/meshes.py")
        testdata.write("golden/meshes/lh.ball", path.read_bytes())
    testdata.write("golden/meshes/maps.func.gii", maps_of(maps, "CortexLeft"))
    testdata.write("golden/meshes/t.func.gii", maps_of([t], "CortexLeft"))
    found = {threshold: clusters(mesh, t, areas, threshold) for threshold in (1.0, 2.0, 4.0)}
    ways = dijkstra(lengths, indices=0)
    testdata.json("golden/meshes/clusters.json", {"areas": areas, "ways_from_0": ways, "thresholds": found})
    testdata.json("golden/meshes/permutations.json", permutations(adjacency, maps))
