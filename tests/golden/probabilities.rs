//! Tails, corrections for many tests, and the worked examples of the field.

use crate::load::{all_close, close, json, numbers};
use statistics::{Correction, normal_ln_sf, student_t_ln_sf};

#[test]
fn log_tails_agree_with_sixty_digit_arithmetic_far_beyond_where_p_is_zero() {
    let table = json("units/tails.json");
    for row in table["student_t"]["rows"].as_array().unwrap() {
        let row = numbers(row);
        // 1e-10 relative: the continued fraction of the incomplete beta loses a few digits, not more
        close(&format!("ln sf of t {} df {}", row[0], row[1]), student_t_ln_sf(row[0], row[1]), row[2], 1e-10);
    }
    for row in table["normal"]["rows"].as_array().unwrap() {
        let row = numbers(row);
        close(&format!("ln sf of z {}", row[0]), normal_ln_sf(row[0]), row[1], 1e-10);
    }
}

#[test]
fn false_discovery_rates_are_scipys_with_the_untested_units_left_out() {
    let table = json("units/fdr.json");
    let p = numbers(&table["p"]);
    // 1e-12: a product and a running minimum
    all_close("bh", &Correction::BenjaminiHochberg.adjust(&p), &numbers(&table["bh"]), 1e-12);
    all_close("by", &Correction::BenjaminiYekutieli.adjust(&p), &numbers(&table["by"]), 1e-12);
    let ln_p: Vec<f64> = p.iter().map(|p| p.ln()).collect();
    let from_logs: Vec<f64> = Correction::BenjaminiHochberg.adjust_ln(&ln_p).iter().map(|q| q.exp()).collect();
    all_close("bh from logs", &from_logs, &numbers(&table["bh"]), 1e-12);
}
