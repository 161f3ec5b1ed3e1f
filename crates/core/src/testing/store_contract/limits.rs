//! Limits over verifications: exact, all or nothing, and over services and networks.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::limits::{LimitName, Rate};
use crate::store::{AdmitOutcome, Refusal};
use crate::testing::{Scene, StoreFactory};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn limited(refusal: &Refusal) -> (LimitName, Timestamp) {
    let Refusal::RateLimited { name, standing, .. } = refusal else { panic!("{refusal:?}") };
    (*name, standing.retry_at)
}

/// Starts and cancels, so that only limits over verifications count.
async fn send_one(scene: &Scene) -> Result<(), Refusal> {
    let id = scene.start().await?.loaded.id;
    scene.canceled(id).await;
    Ok(())
}

/// Whichever limit denies, none is spent, and no verification comes to be.
pub async fn a_denial_spends_nothing(factory: &dyn StoreFactory) {
    let one_an_hour = Rate::new(1, HOUR).unwrap();
    for denier in [LimitName::SendsPerPhone, LimitName::SendsPerPhoneAllServices, LimitName::SendsPerIp] {
        let mut scene = Scene::new(factory).await;
        let address = "2001:db8:1:1::1";
        scene.quotas = Scene::charges(address, "30/1h".parse().unwrap());
        match denier {
            LimitName::SendsPerPhone => scene.rules.sends_per_phone = one_an_hour,
            LimitName::SendsPerPhoneAllServices => scene.rules.sends_per_phone_all_services = one_an_hour,
            // Only the widest network is full; the narrower ones and the number have room.
            _ => scene.quotas[2].rate = one_an_hour,
        }
        send_one(&scene).await.unwrap();
        let before = scene.snapshot().await;
        for _ in 0..3 {
            let (name, _) = limited(&scene.start().await.unwrap_err());
            assert_eq!(name, denier);
            assert_eq!(scene.snapshot().await, before);
        }
        scene.restart(factory).await;
        assert_eq!(scene.snapshot().await, before);
    }
}

/// The sixth in an hour waits until the first is an hour old, to the millisecond.
pub async fn sixth_start_waits_exactly(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let first = scene.now;
    for _ in 0..5 {
        send_one(&scene).await.unwrap();
        scene.advance(MINUTE);
    }
    let again = first + HOUR;
    let refusal = scene.start().await.unwrap_err();
    assert_eq!(limited(&refusal), (LimitName::SendsPerPhone, again));
    let Refusal::RateLimited { standing, window, .. } = refusal else { panic!("{refusal:?}") };
    assert_eq!((standing.limit, standing.used, standing.remaining, window), (5, 5, 0, HOUR));
    assert_eq!(standing.reset_at, first + MINUTE * 4 + HOUR);
    scene.now = again - Duration::from_millis(1);
    assert_eq!(limited(&scene.start().await.unwrap_err()), (LimitName::SendsPerPhone, again));
    scene.now = again;
    send_one(&scene).await.unwrap();
    assert_eq!(limited(&scene.start().await.unwrap_err()).1, first + MINUTE + HOUR);
}

/// Who keeps trying waits no longer.
pub async fn denied_tries_are_not_logged(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    scene.from_address("203.0.113.7", "6/1h");
    let first = scene.now;
    for _ in 0..5 {
        send_one(&scene).await.unwrap();
    }
    let before = scene.snapshot().await;
    for _ in 0..100 {
        assert_eq!(limited(&scene.start().await.unwrap_err()).1, first + HOUR);
    }
    assert_eq!(scene.snapshot().await, before);
    scene.now = first + HOUR - Duration::from_millis(1);
    assert!(scene.start().await.is_err());
    scene.now = first + HOUR;
    send_one(&scene).await.unwrap();
}

/// Fifty services cannot send more than ten messages a day to a number, and each learns when it can.
pub async fn harassment_cap_spans_services(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let first = scene.now;
    let mut sent = 0;
    for service in 0..50 {
        scene.service = Scene::service_named(service);
        match scene.start().await {
            Ok(_) => sent += 1,
            Err(refusal) => {
                let day = Duration::from_secs(24 * 3600);
                assert_eq!(limited(&refusal), (LimitName::SendsPerPhoneAllServices, first + day));
            }
        }
        scene.advance_ms(1_000);
    }
    assert_eq!(sent, 10);
    scene.phone = Scene::phone_named(1);
    assert!(scene.start().await.is_ok(), "another number has a count of its own");
}

/// An IPv6 address counts against its /64, /56 and /48, with N, 2N and 8N; IPv4 by itself, mapped or not.
pub async fn address_networks_have_their_own_counts(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let mut phones = 0_u8;
    let mut fill = async |addresses: &mut dyn Iterator<Item = String>| {
        let mut sent = 0;
        for address in addresses {
            loop {
                phones += 1;
                scene.phone = Scene::phone_named(phones);
                scene.from_address(&address, "2/1h");
                match scene.start().await {
                    Ok(_) => sent += 1,
                    Err(refusal) => {
                        assert_eq!(limited(&refusal).0, LimitName::SendsPerIp);
                        break;
                    }
                }
            }
        }
        sent
    };
    assert_eq!(fill(&mut std::iter::once("2001:db8:1:100::1".to_owned())).await, 2, "a /64");
    assert_eq!(fill(&mut std::iter::once("2001:db8:1:100::2".to_owned())).await, 0, "the same /64");
    assert_eq!(fill(&mut (0x101..0x110).map(|n| format!("2001:db8:1:{n:x}::1"))).await, 2, "the rest of its /56");
    assert_eq!(fill(&mut (2..0x20).map(|n| format!("2001:db8:1:{n:x}00::1"))).await, 12, "the rest of its /48");
    assert_eq!(fill(&mut std::iter::once("2001:db8:2::1".to_owned())).await, 2, "another /48");
    assert_eq!(fill(&mut std::iter::once("203.0.113.7".to_owned())).await, 2);
    assert_eq!(fill(&mut std::iter::once("::ffff:203.0.113.7".to_owned())).await, 0);
}

/// A full address waits for exactly one interval, and its burst is back after the window.
pub async fn address_limit_is_exact(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    scene.from_address("203.0.113.7", "30/1h");
    let begun = scene.now;
    let start_of = async |scene: &mut Scene, phone: u8| {
        scene.phone = Scene::phone_named(phone);
        scene.start().await.map(|_| ()).map_err(|refusal| limited(&refusal))
    };
    for phone in 0..30 {
        start_of(&mut scene, phone).await.unwrap();
    }
    let again = begun + MINUTE * 2;
    scene.now = again - Duration::from_millis(1);
    assert_eq!(start_of(&mut scene, 30).await, Err((LimitName::SendsPerIp, again)));
    scene.now = again;
    start_of(&mut scene, 30).await.unwrap();
    assert_eq!(start_of(&mut scene, 31).await, Err((LimitName::SendsPerIp, again + MINUTE * 2)));
    scene.now = again + HOUR;
    assert_eq!(scene.used(LimitName::SendsPerIp).await, 0);
}

/// The rules come with the request: a lowered limit holds at once, over what was taken before.
pub async fn lowered_limits_apply_at_once(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    let first = scene.now;
    for _ in 0..4 {
        send_one(&scene).await.unwrap();
        scene.advance(MINUTE);
    }
    scene.rules.sends_per_phone = Rate::new(2, HOUR).unwrap();
    // Two are left in the window when the third of the four has left it.
    let again = first + MINUTE * 2 + HOUR;
    assert_eq!(limited(&scene.start().await.unwrap_err()), (LimitName::SendsPerPhone, again));
    scene.now = again - Duration::from_millis(1);
    assert!(scene.start().await.is_err());
    scene.now = again;
    send_one(&scene).await.unwrap();
}

/// Two hundred numbers at one instant from one address: exactly as many sends as the address may take.
pub async fn parallel_starts_of_many_numbers_respect_the_address(factory: &dyn StoreFactory) {
    let mut scene = Scene::new(factory).await;
    scene.from_address("203.0.113.7", "30/1h");
    let mut tasks = Vec::new();
    for phone in 0..200 {
        scene.phone = Scene::phone_named(phone);
        let (store, request, now) = (Arc::clone(&scene.store), scene.start_request(), scene.now);
        tasks.push(tokio::spawn(async move { store.admit(request, now).await.unwrap() }));
    }
    let mut admitted = 0;
    for task in tasks {
        admitted += u32::from(matches!(task.await.unwrap(), AdmitOutcome::Admitted(_)));
    }
    assert_eq!(admitted, 30);
}
