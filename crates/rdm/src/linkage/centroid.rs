//! Centroid linkage, in which a merge may lie below the one before it.

use ndarray::Array2;

use super::Merge;

/// The merges in the order in which they are made, by numbers of clusters (n + k for merge k).
///
/// Generic clustering (Muellner 2011, figure 3): per cluster a candidate for its nearest neighbour among those of
/// higher rows and a lower bound of the distance to it, the least bound first out of a heap. Which of equal bounds
/// comes out first is a matter of the heap, and SciPy's is built here step by step: its ties are ours.
pub(super) fn merges(mut distances: Array2<f64>) -> Vec<Merge> {
    let n = distances.nrows();
    let mut sizes = vec![1usize; n];
    let mut numbers: Vec<usize> = (0..n).collect();
    let nearest = |distances: &Array2<f64>, sizes: &[usize], x: usize| -> (Option<usize>, f64) {
        let mut found = (None, f64::INFINITY);
        for other in (x + 1..n).filter(|&other| sizes[other] > 0) {
            if distances[(x, other)] < found.1 {
                found = (Some(other), distances[(x, other)]);
            }
        }
        found
    };
    let (mut candidates, bounds): (Vec<Option<usize>>, Vec<f64>) =
        (0..n - 1).map(|x| nearest(&distances, &sizes, x)).unzip();
    let mut heap = Heap::new(bounds);
    let mut merges = Vec::with_capacity(n - 1);
    for k in 0..n - 1 {
        let (x, y, height) = loop {
            let (x, bound) = heap.least();
            if let Some(y) = candidates[x].filter(|&y| distances[(x, y)] == bound) {
                break (x, y, bound);
            }
            let (y, distance) = nearest(&distances, &sizes, x);
            candidates[x] = y;
            heap.change(x, distance);
        };
        heap.take_least();
        let (n_x, n_y) = (sizes[x] as f64, sizes[y] as f64);
        let (left, right) = (numbers[x].min(numbers[y]), numbers[x].max(numbers[y]));
        merges.push(Merge { left, right, height, n_stimuli: sizes[x] + sizes[y] });
        sizes[y] += sizes[x];
        sizes[x] = 0;
        numbers[y] = n + k;
        for z in (0..n).filter(|&z| sizes[z] > 0 && z != y) {
            let (to_x, to_y) = (distances[(z, x)], distances[(z, y)]);
            // Never below 0 of dissimilarities that are not: nobody is nearer to one of the two than they are to each
            // other. Of others the root of 0 keeps the search from looking for NaN.
            let square = n_x * to_x * to_x + n_y * to_y * to_y - n_x * n_y * height * height / (n_x + n_y);
            let merged = (square / (n_x + n_y)).max(0.0).sqrt();
            distances[(z, y)] = merged;
            distances[(y, z)] = merged;
        }
        for z in (0..x).filter(|&z| sizes[z] > 0) {
            if candidates[z] == Some(x) {
                candidates[z] = Some(y);
            }
        }
        for z in (0..y).filter(|&z| sizes[z] > 0) {
            if distances[(z, y)] < heap.value(z) {
                candidates[z] = Some(y);
                heap.change(z, distances[(z, y)]);
            }
        }
        if y < n - 1
            && let (Some(z), distance) = nearest(&distances, &sizes, y)
        {
            candidates[y] = Some(z);
            heap.change(y, distance);
        }
    }
    merges
}

/// A binary heap of numbered values, least first, whose values may change.
struct Heap {
    values: Vec<f64>,
    /// Which number stands at each place, and where each number stands.
    at: Vec<usize>,
    place: Vec<usize>,
}

impl Heap {
    fn new(values: Vec<f64>) -> Heap {
        let all: Vec<usize> = (0..values.len()).collect();
        let mut heap = Heap { values, at: all.clone(), place: all };
        for place in (0..heap.at.len() / 2).rev() {
            heap.sink(place);
        }
        heap
    }

    fn least(&self) -> (usize, f64) {
        (self.at[0], self.values[self.at[0]])
    }

    fn value(&self, number: usize) -> f64 {
        self.values[number]
    }

    fn take_least(&mut self) {
        let end = self.at.len() - 1;
        self.swap(0, end);
        self.at.pop();
        self.sink(0);
    }

    fn change(&mut self, number: usize, value: f64) {
        let before = std::mem::replace(&mut self.values[number], value);
        let place = self.place[number];
        if value < before { self.rise(place) } else { self.sink(place) }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.at.swap(a, b);
        self.place[self.at[a]] = a;
        self.place[self.at[b]] = b;
    }

    fn of_place(&self, place: usize) -> f64 {
        self.values[self.at[place]]
    }

    fn rise(&mut self, mut place: usize) {
        while place > 0 && self.of_place((place - 1) / 2) > self.of_place(place) {
            self.swap((place - 1) / 2, place);
            place = (place - 1) / 2;
        }
    }

    fn sink(&mut self, mut place: usize) {
        loop {
            let mut least = 2 * place + 1;
            if least >= self.at.len() {
                return;
            }
            if least + 1 < self.at.len() && self.of_place(least + 1) < self.of_place(least) {
                least += 1;
            }
            if self.of_place(place) <= self.of_place(least) {
                return;
            }
            self.swap(place, least);
            place = least;
        }
    }
}
