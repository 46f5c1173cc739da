# Built from source. Version and description are those of Cargo.toml.
{ lib, rustPlatform, installShellFiles }:

let
  package = (builtins.fromTOML (builtins.readFile ../../Cargo.toml)).package;
in
rustPlatform.buildRustPackage {
  pname = package.name;
  version = package.version;

  src = lib.cleanSource ../..;
  cargoLock.lockFile = ../../Cargo.lock;

  # Not the mock gateway.
  buildNoDefaultFeatures = true;
  buildFeatures = [ "slim" ];
  cargoBuildFlags = [ "--bin" package.name ];
  # The tests need the mock gateway and a loopback network.
  doCheck = false;

  nativeBuildInputs = [ installShellFiles ];
  postBuild = ''
    cargo run --offline --example manual --no-default-features -- manual 1980-01-01
  '';
  postInstall = ''
    installManPage manual/man/*.1
    installShellCompletion --bash manual/completions/*.bash
    installShellCompletion --fish manual/completions/*.fish
    installShellCompletion --zsh manual/completions/_${package.name}
  '';

  meta = {
    description = package.description;
    homepage = package.homepage;
    license = with lib.licenses; [ mit asl20 ];
    mainProgram = package.name;
    platforms = lib.platforms.unix;
  };
}
