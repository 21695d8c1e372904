use super::*;
use ndarray::array;

fn anatomy(parts: &[(Place, usize)], last_map: Option<(usize, usize)>) -> Anatomy {
    let parts: Vec<Part> = parts.iter().map(|&(place, n)| Part::new(place, n)).collect();
    Anatomy { n_units: parts.iter().map(|p| p.length).product(), parts: Some(parts), last_map }
}

fn read(readout: &Readout, raw: &Array2<f64>) -> Array2<f64> {
    let mut out = None;
    let take = |block: Block<'_>| {
        out = Some(block.to_f64());
        Ok(())
    };
    readout.apply(Block::F8(raw.view()), take).unwrap();
    out.unwrap()
}

/// Sums by their indices, one at a time.
fn slow_pool(raw: &Array2<f64>, dims: [usize; 3], pooled: [bool; 3], max: bool) -> Array2<f64> {
    let kept: Vec<usize> = (0..3).filter(|&i| !pooled[i]).collect();
    let n_out: usize = kept.iter().map(|&i| dims[i]).product();
    let n_in: usize = dims.iter().product();
    let mut out = Array2::from_elem((raw.nrows(), n_out), if max { f64::NEG_INFINITY } else { 0.0 });
    for row in 0..raw.nrows() {
        for unit in 0..n_in {
            let index = [unit / (dims[1] * dims[2]), unit / dims[2] % dims[1], unit % dims[2]];
            let to = kept.iter().fold(0, |to, &i| to * dims[i] + index[i]);
            let value = raw[[row, unit]];
            out[[row, to]] =
                if max { f64::max(out[[row, to]], value) } else { out[[row, to]] + value * n_out as f64 / n_in as f64 };
        }
    }
    out
}

#[test]
fn pooling_is_the_slow_one_wherever_the_map_stands() {
    let orders: [[Place; 3]; 4] = [
        [Place::Channel, Place::Y, Place::X],
        [Place::Y, Place::X, Place::Channel],
        [Place::Y, Place::Channel, Place::X],
        [Place::X, Place::Y, Place::Channel],
    ];
    for order in orders {
        let dims = [3, 5, 7];
        let layer = anatomy(&[(order[0], 3), (order[1], 5), (order[2], 7)], None);
        let raw = Array2::from_shape_fn((4, 105), |(i, j)| ((i * 105 + j) as f64 * 0.37).sin());
        let pooled = order.map(|place| place != Place::Channel);
        for pool in [Pool::Avg, Pool::Max] {
            let readout = Readout::new(&layer).pool(&layer, pool).unwrap();
            let (fast, slow) = (read(&readout, &raw), slow_pool(&raw, dims, pooled, pool == Pool::Max));
            assert_eq!(fast.dim(), slow.dim());
            fast.iter().zip(&slow).for_each(|(a, b)| assert!((a - b).abs() < 1e-14, "{order:?} {pool:?}: {a} {b}"));
        }
    }
}

#[test]
fn nan_stays_nan_in_the_mean_and_in_the_largest() {
    let layer = anatomy(&[(Place::Channel, 2), (Place::Y, 1), (Place::X, 3)], None);
    let raw = array![[1.0, f64::NAN, 5.0, -3.0, -2.0, -9.0]];
    for (pool, second) in [(Pool::Max, -2.0), (Pool::Avg, -14.0 / 3.0)] {
        let out = read(&Readout::new(&layer).pool(&layer, pool).unwrap(), &raw);
        assert!(out[[0, 0]].is_nan() && out[[0, 1]] == second, "{out}");
    }
}

/// Six tokens of two channels: class, register, and a 2 x 2 map.
#[test]
fn tokens_are_told_apart_by_the_patch_map() {
    let layer = anatomy(&[(Place::Token, 6), (Place::Channel, 2)], Some((2, 2)));
    let raw = Array2::from_shape_fn((1, 12), |(_, j)| (j * j) as f64);
    let with = |tokens, prefix| Readout::new(&layer).tokens(&layer, tokens, prefix);
    assert_eq!(read(&with(Tokens::Cls, None).unwrap(), &raw), array![[0.0, 1.0]]);
    assert_eq!(
        read(&with(Tokens::Mean, None).unwrap(), &raw),
        array![[(16 + 36 + 64 + 100) as f64 / 4.0, (25 + 49 + 81 + 121) as f64 / 4.0]]
    );
    let patches = with(Tokens::Patches, None).unwrap();
    assert_eq!(read(&patches, &raw), raw.slice(ndarray::s![.., 4..]).to_owned());
    assert_eq!(patches.place_of(7), UnitPlace { channel: Some(1), y: Some(1), x: Some(1), token: Some(5) });
    assert_eq!(with(Tokens::Patches, Some(1)).unwrap().n_units(), 10);
    assert_eq!(with(Tokens::Cls, Some(0)).unwrap_err(), ReadoutError::NoPrefix);
    assert_eq!(with(Tokens::Mean, Some(6)).unwrap_err(), ReadoutError::Prefix { n_tokens: 6, prefix: 6 });
    let all = Readout::new(&layer);
    assert!(all.is_identity());
    assert_eq!(all.place_of(3), UnitPlace { channel: Some(1), y: None, x: None, token: Some(1) });
    assert_eq!(all.place_of(6), UnitPlace { channel: Some(0), y: Some(0), x: Some(1), token: Some(3) });
    let small = Anatomy { last_map: Some((3, 3)), ..layer.clone() };
    let error = Readout::new(&small).tokens(&small, Tokens::Mean, None).unwrap_err();
    assert!(error.to_string().contains("6 tokens") && error.to_string().contains("3x3 = 9"), "{error}");
    let bare = anatomy(&[(Place::Token, 4), (Place::Channel, 2)], Some((2, 2)));
    let error = Readout::new(&bare).tokens(&bare, Tokens::Cls, None).unwrap_err();
    assert!(error.to_string().contains("4 tokens for 2x2 patches"), "{error}");
}

#[test]
fn kept_units_are_numbered_before_they_are_kept() {
    let layer = anatomy(&[(Place::Channel, 3), (Place::Y, 2), (Place::X, 2)], None);
    let raw = Array2::from_shape_fn((2, 12), |(i, j)| (i * 100 + j) as f64);
    let readout = Readout::new(&layer).keep(vec![1, 6, 11]);
    assert_eq!(read(&readout, &raw), array![[1.0, 6.0, 11.0], [101.0, 106.0, 111.0]]);
    assert_eq!(readout.unit_of(1), 6);
    assert_eq!(readout.place_of(6), UnitPlace { channel: Some(1), y: Some(1), x: Some(0), token: None });
    let pooled = Readout::new(&layer).pool(&layer, Pool::Max).unwrap().keep(vec![2]);
    assert_eq!(read(&pooled, &raw), array![[11.0], [111.0]]);
}
