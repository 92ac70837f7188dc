//! Understudy keeps applications answered when a language model fails.

pub mod domain;
#[cfg(target_arch = "wasm32")]
pub mod edge;
#[cfg(target_arch = "wasm32")]
pub mod routes;

/// The platform's way in: every request of the Worker.
#[cfg(target_arch = "wasm32")]
#[worker::event(fetch)]
async fn fetch(
    request: web_sys::Request,
    env: worker::Env,
    context: worker::Context,
) -> worker::Result<web_sys::Response> {
    routes::handle(request, env, context).await
}
