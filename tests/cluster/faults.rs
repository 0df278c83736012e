//! A server that is overloaded, away for a moment or cut off in the middle of an answer.

use crate::proxy::{Fault, Proxy, Seen};
use crate::support::{config_map, deployment, lab, reference};
use serde_json::{Value, json};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use windlass::cluster::Verb;
use windlass::deploy;
use windlass::event::Event;
use windlass::inventory::DeployResult;

const OVERLOADED: Fault = Fault::Answer(
    429,
    "retry-after: 1\r\n",
    r#"{"kind":"Status","code":429,"reason":"TooManyRequests"}"#,
);
const AWAY: Fault = Fault::Answer(
    503,
    "",
    r#"{"kind":"Status","code":503,"reason":"ServiceUnavailable"}"#,
);
const BROKEN: Fault = Fault::Answer(
    500,
    "",
    r#"{"kind":"Status","code":500,"reason":"InternalError","message":"Internal error occurred: failed calling webhook"}"#,
);
const EXPIRED: Fault = Fault::Answer(
    200,
    "content-type: application/json\r\n",
    "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"reason\":\"Expired\"}}\n",
);

/// A Deployment that becomes ready after some seconds.
fn slow(seconds: u32) -> Value {
    let mut slow = deployment("web", "");
    slow["spec"]["template"]["metadata"]["annotations"] =
        json!({"windlass.test/ready-after": format!("{seconds}s")});
    slow
}

#[test]
fn a_server_that_is_overloaded_is_asked_again_when_it_says() {
    lab(|mut lab| async move {
        let proxy = Proxy::before(&mut lab).await;
        proxy.fail("PATCH", "/configmaps/a?", OVERLOADED);
        lab.deploy_well("web", &[config_map("a", "1")]).await;
        let tries = proxy.seen("PATCH", "/configmaps/a?");
        // The trial met the fault, the apply did not.
        assert_eq!(tries.len(), 3);
        assert!(tries[1].at - tries[0].at >= Duration::from_secs(1));
    });
}

#[test]
fn a_server_that_is_overloaded_gets_fewer_requests_at_once() {
    lab(|mut lab| async move {
        let proxy = Proxy::before(&mut lab).await;
        let objects: Vec<_> = (0..32)
            .map(|number| config_map(&format!("m{number}"), "1"))
            .collect();
        let request = lab.request("web", &objects);
        let prepared = lab.prepare(request).await.unwrap();
        let trials = proxy.seen("PATCH", "/configmaps/").len();
        // Long enough for all that may be in flight to be so.
        proxy.delay(Duration::from_millis(200));
        for _ in 0..16 {
            proxy.fail("PATCH", "/configmaps/", OVERLOADED);
        }
        let report = lab.run(&prepared).await.unwrap();
        assert_eq!(report.result, DeployResult::Succeeded, "{report:#?}");
        let tries = proxy.seen("PATCH", "/configmaps/").split_off(trials);
        let most = |tries: &[Seen]| tries.iter().map(|seen| seen.beside + 1).max().unwrap();
        assert_eq!(tries.len(), 16 + 32);
        assert_eq!(most(&tries[..16]), 16);
        // Half of them, and one more after each round.
        let after = most(&tries[16..]);
        assert!((8..16).contains(&after), "{after}");
        assert_eq!(most(&tries[16..24]), 8);
    });
}

#[test]
fn a_server_that_gets_slow_gets_fewer_requests_at_once() {
    lab(|mut lab| async move {
        let proxy = Proxy::before(&mut lab).await;
        let objects: Vec<_> = (0..80)
            .map(|number| config_map(&format!("m{number}"), "1"))
            .collect();
        let request = lab.request("web", &objects);
        let prepared = lab.prepare(request).await.unwrap();
        let trials = proxy.seen("PATCH", "/configmaps/").len();
        proxy.one_by_one("PATCH", Duration::from_millis(70));
        let report = lab.run(&prepared).await.unwrap();
        assert_eq!(report.result, DeployResult::Succeeded, "{report:#?}");
        let seen = proxy.seen("PATCH", "/configmaps/").split_off(trials);
        let at_once: Vec<usize> = seen.iter().map(|seen| seen.beside + 1).collect();
        assert_eq!(at_once.iter().max(), Some(&16));
        // Two rounds tell that it is slow. The next one that comes waits until there are few enough.
        assert!(
            at_once[32..64].iter().any(|open| *open <= 12),
            "{at_once:?}"
        );
    });
}

#[test]
fn a_server_that_fails_for_a_moment_is_asked_again() {
    lab(|mut lab| async move {
        let proxy = Proxy::before(&mut lab).await;
        for fault in [AWAY, BROKEN] {
            proxy.fail("PATCH", "/configmaps/a?", fault);
        }
        for (method, path) in [
            ("GET", "/apis"),
            ("GET", "/secrets/windlass.web"),
            ("POST", "/leases"),
            ("POST", "/secrets"),
            ("PUT", "/secrets/windlass.web"),
            ("DELETE", "/leases/windlass.web"),
        ] {
            proxy.fail(method, path, AWAY);
        }
        lab.cluster.server_version().await.unwrap();
        lab.deploy_well("web", &[config_map("a", "1")]).await;
        assert_eq!(proxy.left(), 0);
    });
}

#[test]
fn a_write_whose_answer_is_lost_is_done_once() {
    lab(|mut lab| async move {
        let proxy = Proxy::before(&mut lab).await;
        let cut = |path: &str, method| proxy.fail(method, path, Fault::Cut(40));
        // The lock, the record, the object, the record again, the lock again.
        for (path, method) in [
            ("/leases", "POST"),
            ("/secrets", "POST"),
            ("/secrets/windlass.web", "PUT"),
            ("/leases/windlass.web", "DELETE"),
        ] {
            cut(path, method);
        }
        lab.deploy_well("web", &[config_map("a", "1")]).await;
        assert_eq!(proxy.left(), 0);
        let version = |live: windlass::object::Object| live.resource_version().to_owned();
        let first = version(lab.get("", "ConfigMap", "a").await.unwrap());

        let request = lab.request("web", &[config_map("a", "2")]);
        let prepared = lab.prepare(request).await.unwrap();
        cut("/configmaps/a?", "PATCH");
        let report = lab.run(&prepared).await.unwrap();
        assert!(report.stopped_by.is_none(), "{report:#?}");
        assert_eq!(proxy.left(), 0);
        let live = lab.get("", "ConfigMap", "a").await.unwrap();
        assert_eq!(live.text(&["data", "key"]), "2");
        assert_ne!(version(live), first);
        let history = deploy::history(&lab.cluster, &lab.app("web")).await;
        assert_eq!(history.unwrap().len(), 2);

        let request = lab.request("web", &[config_map("b", "1")]);
        let prepared = lab.prepare(request).await.unwrap();
        cut("/configmaps/b?", "PATCH");
        cut("/configmaps/a", "DELETE");
        let report = lab.run(&prepared).await.unwrap();
        assert!(report.stopped_by.is_none(), "{report:#?}");
        assert_eq!(proxy.left(), 0);
        assert!(lab.get("", "ConfigMap", "a").await.is_none());
    });
}

#[test]
fn a_list_that_is_cut_off_is_read_again_from_its_beginning() {
    lab(|mut lab| async move {
        let proxy = Proxy::before(&mut lab).await;
        lab.deploy_well("web", &[config_map("a", "1"), config_map("b", "1")])
            .await;
        proxy.fail("GET", "/configmaps?", Fault::Cut(300));
        let request = lab.request("web", &[config_map("a", "1"), config_map("b", "1")]);
        assert!(lab.prepare(request).await.unwrap().is_noop());
        assert_eq!(proxy.left(), 0);
    });
}

#[test]
fn a_watch_that_expired_begins_again_from_a_list() {
    lab(|mut lab| async move {
        let proxy = Proxy::before(&mut lab).await;
        proxy.fail("GET", "/deployments?watch=true", EXPIRED);
        proxy.fail("GET", "/deployments?watch=true", AWAY);
        lab.deploy_well("web", &[slow(3)]).await;
        assert_eq!(proxy.left(), 0);
        assert!(proxy.seen("GET", "/deployments?watch=true").len() >= 3);
    });
}

#[test]
fn a_watch_that_says_nothing_is_given_up() {
    lab(|mut lab| async move {
        let proxy = Proxy::before(&mut lab).await;
        proxy.fail("GET", "/deployments?watch=true", Fault::Silence);
        lab.deploy_well("web", &[slow(2)]).await;
        assert_eq!(proxy.left(), 0);
        assert!(lab.cluster.requests().of(Verb::Watch) >= 1);
    });
}

#[test]
fn a_write_that_is_tried_again_after_the_lock_was_lost_is_not_sent() {
    lab(|mut lab| async move {
        let direct = lab.cluster.clone();
        let proxy = Proxy::before(&mut lab).await;
        let request = lab.request("web", &[config_map("a", "1")]);
        let prepared = lab.prepare(request).await.unwrap();
        let later = Fault::Answer(429, "retry-after: 7\r\n", "{}");
        proxy.fail("PATCH", "/configmaps/a?", later);
        let target = reference(
            "coordination.k8s.io",
            "Lease",
            Some(&lab.namespace),
            "windlass.web",
        );
        let seen = proxy.clone();
        let thief = async {
            while seen.left() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let taken = json!({"metadata": {"annotations": {"windlass.dev/who": "bob"}},
                "spec": {"holderIdentity": "bob"}});
            direct.merge_patch(&target, &taken).await.unwrap();
        };
        let (report, ()) = tokio::join!(lab.run(&prepared), thief);
        let stopped = report.unwrap().stopped_by.unwrap().to_string();
        assert!(stopped.contains("was lost to bob"), "{stopped}");
        let tries = proxy.seen("PATCH", "/configmaps/a?");
        assert_eq!(tries.len(), 2, "the trial and the first try");
        assert!(lab.get("", "ConfigMap", "a").await.is_none());
    });
}

/// A Job that fails after a second, and whose log is asked for then.
fn failing() -> Value {
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "migrate"},
        "spec": {"backoffLimit": 0, "template": {
            "metadata": {"labels": {"windlass.test/job": "fail"}},
            "spec": {"restartPolicy": "Never",
                "containers": [{"name": "m", "image": "example.com/m:1"}]}}}})
}

#[test]
fn a_log_that_does_not_come_holds_nothing_up() {
    lab(|mut lab| async move {
        let proxy = Proxy::before(&mut lab).await;
        proxy.fail("GET", "/log?", Fault::Silence);
        let mut options = deploy::Options::new(jiff::Timestamp::now());
        options.exit_early = false;
        let request = lab.request("web", &[failing(), slow(3)]);
        let prepared = lab.prepare(request).await.unwrap();
        let report = lab.run_with(&prepared, &options).await.unwrap();
        assert!(report.is_not_ready(), "{report:#?}");
        let ends = lab.events.iter().filter_map(|event| match event {
            Event::WaitFinished { object, reason, .. } => Some((object.kind.as_str(), reason)),
            _ => None,
        });
        let ends: Vec<_> = ends.collect();
        assert_eq!(ends[0], ("Deployment", &String::new()), "{ends:?}");
        assert_eq!(ends[1].0, "Job", "{ends:?}");
        let without = "\n  log m could not be read: no answer within 3 s";
        assert!(ends[1].1.ends_with(without), "{ends:?}");
    });
}

#[test]
fn a_stop_does_not_wait_for_a_log() {
    lab(|mut lab| async move {
        let proxy = Proxy::before(&mut lab).await;
        proxy.fail("GET", "/log?", Fault::Silence);
        let request = lab.request("web", &[failing()]);
        let prepared = lab.prepare(request).await.unwrap();
        let options = deploy::Options::new(jiff::Timestamp::now());
        let stop = CancellationToken::new();
        let stopped = async {
            while proxy.seen("GET", "/log?").is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            stop.cancel();
        };
        let (cluster, masker) = (lab.cluster.clone(), &lab.masker);
        let run = deploy::run(
            &cluster,
            &prepared,
            &options,
            masker,
            &mut lab.events,
            &stop,
        );
        let (report, ()) = tokio::join!(run, stopped);
        let reason = &report.unwrap().outcomes[0].reason;
        let without = "more, such as its log, could not be read: the run was stopped";
        assert!(reason.ends_with(without), "{reason}");
    });
}

#[test]
fn a_log_that_is_refused_is_asked_for_once() {
    lab(|mut lab| async move {
        let proxy = Proxy::before(&mut lab).await;
        proxy.fail("GET", "/log?", BROKEN);
        let report = lab.deploy("web", &[failing()]).await;
        let reason = &report.outcomes[0].reason;
        assert!(reason.contains("\n  log m could not be read: "), "{reason}");
        assert_eq!(proxy.seen("GET", "/log?").len(), 1);
    });
}

#[test]
fn of_a_log_no_more_is_read_than_was_asked_for() {
    lab(|mut lab| async move {
        let proxy = Proxy::before(&mut lab).await;
        let flood: &'static str = "x".repeat(10 << 20).leak();
        proxy.fail("GET", "/log?", Fault::Answer(200, "", flood));
        let report = lab.deploy("web", &[failing()]).await;
        let reason = &report.outcomes[0].reason;
        assert!(reason.ends_with("xxx…"), "{}", reason.len());
        assert!(reason.len() < 20_000, "{}", reason.len());
    });
}
