use super::*;

fn part(place: Place, length: usize, stride: usize) -> Part {
    Part { stride, ..Part::new(place, length) }
}

/// [picture 1][token 4, of which patches 1..4 are a 1 x 3 map][channel 6]
fn tokens() -> Meaning {
    let grid = Some(Grid { before: 1, height: 1, width: 3 });
    vec![vec![], vec![Part { grid, ..Part::new(Place::Token, 4) }], vec![Part::new(Place::Channel, 6)]]
}

#[test]
fn heads_are_channels_in_two_parts_and_come_back_whole() {
    let heads = regrouped(&tokens(), &[1, 4, 2, 3]).unwrap();
    assert_eq!(heads[2..], [vec![part(Place::Channel, 2, 3)], vec![part(Place::Channel, 3, 1)]]);
    let transposed: Meaning = [0, 2, 1, 3].map(|axis| heads[axis].clone()).to_vec();
    let flat = flattened(&transposed[1..]).unwrap();
    assert_eq!(
        flat.iter().map(|p| (p.place, p.length, p.stride)).collect::<Vec<_>>(),
        [(Place::Channel, 2, 3), (Place::Token, 4, 1), (Place::Channel, 3, 1)]
    );
    assert_eq!(regrouped(&heads, &[1, 4, 6]).unwrap(), tokens());
}

#[test]
fn attention_maps_have_no_clear_meaning_and_what_they_weigh_has() {
    let heads = regrouped(&tokens(), &[1, 4, 2, 3]).unwrap();
    let query: Meaning = [0, 2, 1, 3].map(|axis| heads[axis].clone()).to_vec();
    let key: Meaning = [0, 2, 3, 1].map(|axis| heads[axis].clone()).to_vec();
    let attention = product(Some(&query), Some(&key), &[1, 2, 4, 4]).unwrap();
    assert_eq!(flattened(&attention[1..]), None);
    let weighed = product(Some(&attention), Some(&query), &[1, 2, 4, 3]).unwrap();
    assert_eq!(weighed, query);
}

#[test]
fn maps_become_tokens_and_windows_come_back_as_maps() {
    let map: Meaning =
        vec![vec![], vec![Part::new(Place::Y, 4)], vec![Part::new(Place::X, 6)], vec![Part::new(Place::Channel, 5)]];
    let joined = regrouped(&map, &[1, 24, 5]).unwrap();
    let flat = flattened(&joined[1..]).unwrap();
    assert_eq!(
        (flat[0].place, flat[0].length, flat[0].grid),
        (Place::Token, 24, Some(Grid { before: 0, height: 4, width: 6 }))
    );
    // Windows of 2 x 3: split, brought together, and back.
    let split = regrouped(&map, &[1, 2, 2, 2, 3, 5]).unwrap();
    assert_eq!((split[1][0].stride, split[2][0].stride, split[3][0].stride), (2, 1, 3));
    let windows: Meaning = [0, 1, 3, 2, 4, 5].map(|axis| split[axis].clone()).to_vec();
    let windows = regrouped(&windows, &[4, 6, 5]).unwrap();
    let back = regrouped(&windows, &[1, 2, 2, 2, 3, 5]).unwrap();
    let back: Meaning = [0, 1, 3, 2, 4, 5].map(|axis| back[axis].clone()).to_vec();
    assert_eq!(regrouped(&back, &[1, 4, 6, 5]).unwrap(), map);
    // 4 rows cannot be cut into threes.
    assert_eq!(regrouped(&map, &[1, 3, 8, 5]), None);
}

#[test]
fn shuffled_channels_are_counted_as_they_stand() {
    let groups = regrouped(&vec![vec![], vec![Part::new(Place::Channel, 6)]], &[1, 2, 3]).unwrap();
    let shuffled: Meaning = [0, 2, 1].map(|axis| groups[axis].clone()).to_vec();
    assert_eq!(regrouped(&shuffled, &[1, 6]).unwrap()[1], [Part::new(Place::Channel, 6)]);
}

#[test]
fn what_is_the_same_place_twice_or_unknown_is_not_clear() {
    let twice = [vec![Part::new(Place::Token, 4)], vec![Part::new(Place::Token, 4)]];
    assert_eq!(flattened(&twice), None);
    assert_eq!(flattened(&[vec![Part::new(Place::Unknown, 4)]]), None);
    assert!(flattened(&[vec![Part::new(Place::Channel, 4)], vec![], vec![Part::new(Place::X, 1)]]).is_some());
    assert_eq!(flattened(&[vec![part(Place::Channel, 4, 2)]]), None);
}
