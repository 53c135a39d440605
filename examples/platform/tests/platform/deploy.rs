//! compose.yaml, k8s/ and the Dockerfile, checked as far as no container engine is needed: they parse, name only roles, variables,
//! settings, paths and services that there are, and agree with each other on images and ports.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use facerec_platform::config::{Config, SECRETS};
use facerec_platform::gateway::routes::ROUTES;
use yaml_rust2::{Yaml, YamlLoader};

const IMAGE: &str = "facerec-platform";

fn here(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(here(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn documents(name: &str) -> Vec<Yaml> {
    YamlLoader::load_from_str(&read(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn text(yaml: &Yaml) -> String {
    match yaml {
        Yaml::String(text) => text.clone(),
        Yaml::Integer(number) => number.to_string(),
        other => panic!("expected a word, got {other:?}"),
    }
}

fn texts(yaml: &Yaml) -> Vec<String> {
    yaml.as_vec().map(|all| all.iter().map(text).collect()).unwrap_or_default()
}

/// The value of `key`, also where YAML merges it in with `<<`.
fn get<'a>(yaml: &'a Yaml, key: &str) -> &'a Yaml {
    match &yaml[key] {
        Yaml::BadValue if !yaml["<<"].is_badvalue() => &yaml["<<"][key],
        found => found,
    }
}

/// A setting of the program that the environment may give, or one of the libraries below it.
fn check_variable(name: &str) {
    let known = ["FACEREC_PLATFORM_CONFIG", "FACEREC_MODELS", "FACEREC_ORT", "RUST_LOG"];
    let plain = name.strip_suffix("_FILE").unwrap_or(name);
    assert!(known.contains(&name) || SECRETS.contains(&plain), "the program reads no variable `{name}`");
}

fn check_role(arguments: &[String]) {
    let told = Command::new(env!("CARGO_BIN_EXE_facerec-platform")).args(arguments).arg("--help").output().unwrap();
    assert!(told.status.success() && !arguments.is_empty(), "`facerec-platform {arguments:?}`: {}", String::from_utf8_lossy(&told.stderr));
}

/// The configuration in `file`, with addresses as the environment would give them.
fn check_config(file: &Path, services: &BTreeSet<String>) -> Config {
    let mut config = Config::load(Some(file)).unwrap();
    config.database = "postgres://facerec:x@postgres:5432/facerec".into();
    config.gallery = "postgres://facerec:x@postgres:5432/facerec?gallery=people".into();
    config.check().unwrap();
    for address in config.detection.split(',').chain(config.data_processing.split(',')) {
        let (host, port) = address.strip_prefix("http://").unwrap().split_once(':').unwrap();
        assert!(services.contains(host), "`{address}` leads to no service; there are {services:?}");
        assert_eq!(port, config.grpc_listen.port().to_string(), "{address}");
    }
    assert!(config.listen.ip().is_unspecified() && config.grpc_listen.ip().is_unspecified(), "reachable from other containers");
    config
}

#[test]
fn compose_names_only_what_there_is() {
    let document = &documents("compose.yaml")[0];
    let services = document["services"].as_hash().unwrap();
    let names: BTreeSet<String> = services.keys().map(text).collect();
    let config = check_config(&here("deploy/platform.toml"), &names);
    assert_eq!(text(&document["configs"]["platform"]["file"]), "deploy/platform.toml");
    assert!(here(&text(&document["configs"]["nats"]["file"])).is_file());
    let mut roles = BTreeSet::new();
    for (name, service) in services {
        if text(get(service, "image")) != IMAGE {
            continue;
        }
        let command = texts(get(service, "command"));
        check_role(&command);
        roles.insert(command[0].clone());
        let environment = get(service, "environment").as_hash().unwrap();
        environment.keys().for_each(|name| check_variable(&text(name)));
        let target = text(&get(service, "configs")[0]["target"]);
        assert_eq!(text(&get(service, "environment")["FACEREC_PLATFORM_CONFIG"]), target, "{name:?}");
        for (other, _) in get(service, "depends_on").as_hash().into_iter().flatten() {
            assert!(names.contains(&text(other)), "{name:?} waits for {other:?}");
        }
    }
    assert_eq!(roles, ["gateway", "enrolment", "query", "forwarder", "detection", "data-processing"].map(str::to_owned).into());
    let gateway = &document["services"]["gateway"];
    assert!(texts(&gateway["ports"])[0].ends_with(&format!(":{}", config.listen.port())));
    assert!(texts(&gateway["healthcheck"]["test"]).concat().contains(&format!("/dev/tcp/127.0.0.1/{}", config.listen.port())));
    assert!(text(&get(gateway, "environment")["FACEREC_PLATFORM_NATS"]).ends_with("@nats:4222"));
    let build = get(gateway, "build");
    assert!(here("").join(text(&build["context"])).join(text(&build["dockerfile"])).is_file());
}

#[test]
fn kubernetes_names_only_what_there_is() {
    let all: Vec<Yaml> = ["k8s/config.yaml", "k8s/servers.yaml", "k8s/platform.yaml"].iter().flat_map(|name| documents(name)).collect();
    let of = |kind: &str| all.iter().filter(|one| text(&one["kind"]) == kind).collect::<Vec<_>>();
    let name = |one: &Yaml| text(&one["metadata"]["name"]);
    let workloads: Vec<&Yaml> = of("Deployment").into_iter().chain(of("StatefulSet")).collect();
    // Hosts: services, and the pods of a stateful set behind a service without an address of its own.
    let mut hosts: BTreeSet<String> = of("Service").iter().map(|one| name(one)).collect();
    for set in of("StatefulSet") {
        assert!(hosts.contains(&text(&set["spec"]["serviceName"])));
        let pods = set["spec"]["replicas"].as_i64().unwrap_or(1);
        hosts.extend((0..pods).map(|number| format!("{}-{number}.{}", name(set), name(set))));
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("platform.toml");
    std::fs::write(&file, text(&of("ConfigMap")[0]["data"]["platform.toml"])).unwrap();
    let config = check_config(&file, &hosts);
    let settings = |text: &str| text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(settings(&text(&of("ConfigMap")[0]["data"]["nats.conf"])), settings(&read("deploy/nats.conf")));
    let paths: Vec<&str> = ROUTES.iter().map(|route| route.path).collect();
    let mut roles = BTreeSet::new();
    for workload in &workloads {
        let (name, pod) = (name(workload), &workload["spec"]["template"]);
        assert_eq!(workload["spec"]["selector"]["matchLabels"], pod["metadata"]["labels"], "{name}");
        let container = &pod["spec"]["containers"][0];
        if text(&container["image"]) != format!("{IMAGE}:{}", env!("CARGO_PKG_VERSION")) {
            continue;
        }
        let arguments = texts(&container["args"]);
        check_role(&arguments);
        roles.insert(arguments[0].clone());
        for variable in container["env"].as_vec().unwrap() {
            check_variable(&text(&variable["name"]));
            let secret = &variable["valueFrom"]["secretKeyRef"];
            let key = |key: &Yaml| read("k8s/config.yaml").contains(&format!("{}=", text(key)));
            assert!(secret.is_badvalue() || (text(&secret["name"]) == "facerec" && key(&secret["key"])), "{name}: {variable:?}");
        }
        for probe in ["readinessProbe", "livenessProbe"].map(|probe| &container[probe]).into_iter().filter(|probe| !probe.is_badvalue()) {
            let http = &probe["httpGet"];
            assert!(http.is_badvalue() || paths.contains(&text(&http["path"]).as_str()), "{name}: {probe:?}");
        }
        let port = if name == "gateway" { config.listen.port() } else { config.grpc_listen.port() };
        for told in container["ports"].as_vec().into_iter().flatten() {
            assert_eq!(told["containerPort"].as_i64(), Some(i64::from(port)), "{name}");
        }
    }
    assert_eq!(roles.len(), 6, "{roles:?}");
    for service in of("Service") {
        let labelled = |workload: &&&Yaml| workload["spec"]["template"]["metadata"]["labels"] == service["spec"]["selector"];
        let behind = workloads.iter().find(labelled).unwrap_or_else(|| panic!("nothing is behind the service {}", name(service)));
        let port = &behind["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"];
        assert_eq!(&service["spec"]["ports"][0]["port"], port, "{}", name(service));
    }
}

#[test]
fn the_image_holds_what_the_configuration_names() {
    let (docker, config) = (read("Dockerfile"), Config::load(Some(&here("deploy/platform.toml"))).unwrap());
    for line in docker.lines().filter_map(|line| line.strip_prefix("ENV ")) {
        line.split(' ').for_each(|pair| check_variable(pair.split_once('=').unwrap().0));
    }
    assert!(docker.contains("ENTRYPOINT [\"facerec-platform\"]"));
    assert!(docker.contains(&format!("EXPOSE {} {}", config.listen.port(), config.grpc_listen.port())));
    assert!(docker.contains(&format!("COPY --from=client /client/out {}", config.web.display())));
    assert!(docker.contains(&format!("-o facerec {}", config.data.display())));
    let command = docker.lines().find_map(|line| line.strip_prefix("CMD ")).unwrap();
    check_role(&serde_json::from_str::<Vec<String>>(command).unwrap());
    let rust =
        read("../../Cargo.toml").lines().find_map(|line| Some(line.strip_prefix("rust-version = \"")?.trim_end_matches('"').to_owned()));
    assert!(docker.contains(&format!("FROM rust:{}-", rust.unwrap())));
}
