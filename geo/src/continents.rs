//! Continents of countries, for tables that know countries alone (ISO 3166-1; two-letter
//! continent codes as geographic databases use them).

/// Countries by continent.
const CONTINENTS: [(&str, &str); 7] = [
    (
        "af",
        "ao bf bi bj bw cd cf cg ci cm cv dj dz eg eh er et ga gh gm gn gq gw ke km lr ls ly ma mg ml mr \
         mu mw mz na ne ng re rw sc sd sh sl sn so ss st sz td tg tn tz ug yt za zm zw",
    ),
    ("an", "aq bv gs hm tf"),
    (
        "as",
        "ae af am az bd bh bn bt cc cn cx cy ge hk id il in io iq ir jo jp kg kh kp kr kw kz la lb lk mm \
         mn mo mv my np om ph pk ps qa sa sg sy th tj tm tr tw uz vn ye",
    ),
    (
        "eu",
        "ad al at ax ba be bg by ch cz de dk ee es fi fo fr gb gg gi gr hr hu ie im is it je li lt lu lv \
         mc md me mk mt nl no pl pt ro rs ru se si sj sk sm ua va xk",
    ),
    (
        "na",
        "ag ai aw bb bl bm bq bs bz ca cr cu cw dm do gd gl gp gt hn ht jm kn ky lc mf mq ms mx ni pa pm \
         pr sv sx tc tt us vc vg vi",
    ),
    (
        "oc",
        "as au ck fj fm gu ki mh mp nc nf nr nu nz pf pg pn pw sb tk tl to tv um vu wf ws",
    ),
    ("sa", "ar bo br cl co ec fk gf gy pe py sr uy ve"),
];

/// The continent of a country by its lower-case code; empty when it is not known.
pub(crate) fn continent(country: &str) -> &'static str {
    let holds = |(_, countries): &&(&str, &str)| countries.split(' ').any(|code| code == country);
    CONTINENTS
        .iter()
        .find(holds)
        .map_or("", |(continent, _)| continent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_lie_in_one_continent() {
        for (country, expected) in [
            ("cn", "as"),
            ("de", "eu"),
            ("us", "na"),
            ("br", "sa"),
            ("", ""),
            ("zz", ""),
        ] {
            assert_eq!(continent(country), expected);
        }
        let mut all: Vec<&str> = CONTINENTS
            .iter()
            .flat_map(|(_, all)| all.split(' '))
            .collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count, "a country is listed twice");
    }
}
