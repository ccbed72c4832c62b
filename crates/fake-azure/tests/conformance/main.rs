//! One suite, three grounds: the fake in process in virtual time, the fake's server on sockets, and Azurite.
//!
//! The fake is what every other test of the project stands on, so it is not trusted unproven. The scenarios are plain
//! functions over the project's client, with raw requests where the client cannot make the mistake in question. Where
//! Azurite is known to differ from Azure, [`differences`] says so and both behaviours are asserted: the fake must do
//! what Azure does.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test says what it expects by unwrapping, in helpers too"
)]

mod azurite;
mod blobs;
mod differences;
mod ground;
mod keyless;
mod leases;
mod links;
mod queues;
mod sockets;
mod virtual_time;

use ground::{Credential, Ground};

/// Names every scenario once: as a test of its own on the fake, and as a step of the runs on other grounds.
macro_rules! scenarios {
    ($run_all:ident: $($module:ident::$name:ident,)*) => {
        $(
            #[test]
            fn $name() {
                virtual_time::run(Credential::SharedKey, async |ground| $module::$name(ground).await);
            }
        )*

        /// Runs the scenarios one after the other, naming each before it starts.
        async fn $run_all(ground: &Ground) {
            $(
                eprintln!("scenario {}", stringify!($name));
                $module::$name(ground).await;
            )*
        }
    };
}

scenarios! { every_scenario:
    blobs::creating_a_container_twice_is_fine,
    blobs::blob_is_read_back_as_it_was_put,
    blobs::blocks_become_a_blob_in_the_order_of_their_numbers,
    blobs::blob_names_may_hold_anything,
    blobs::putting_again_replaces_the_blob,
    blobs::create_if_absent_creates_once,
    blobs::conditional_write_succeeds_with_the_current_etag_only,
    blobs::conditional_read_tells_whether_the_etag_is_current,
    blobs::part_of_a_blob_is_read_by_range,
    blobs::properties_are_those_of_the_blob,
    blobs::deleting_is_final_and_repeatable,
    blobs::what_is_missing_is_called_missing,
    blobs::lists_are_sorted_filtered_and_paged,
    blobs::put_without_a_type_is_refused,
    queues::creating_a_queue_twice_is_fine,
    queues::missing_queue_is_called_missing,
    queues::text_arrives_as_it_was_put,
    queues::largest_message_fits_and_a_larger_one_does_not,
    queues::batch_holds_up_to_32_messages_in_order,
    queues::peeking_changes_nothing,
    queues::delayed_message_is_counted_but_not_received,
    queues::message_is_gone_after_its_time_to_live,
    queues::clearing_leaves_an_empty_queue,
    queues::parameters_out_of_range_are_refused,
    queues::body_that_is_not_the_expected_xml_is_refused,
    queues::queues_are_listed,
    leases::received_message_reappears_with_a_higher_dequeue_count,
    leases::receipt_of_the_insertion_is_good_at_once,
    leases::update_moves_visibility_and_replaces_the_receipt,
    leases::message_is_handed_back_by_visibility_zero,
    leases::late_receipt_is_good_until_another_receives_the_message,
    leases::deleted_message_is_lost_to_everyone,
    leases::receipt_of_another_message_is_refused,
    links::link_reads_its_blob_and_no_other,
    links::link_does_not_write_or_delete,
    links::changed_link_is_refused,
    links::link_dies_at_its_expiry,
    links::without_credentials_nothing_is_shown,
    links::account_sas_is_a_credential_too,
}

// Azurite that accepts tokens takes a wrong signature for a malformed token and responds 400.
scenarios! { every_keyed_scenario:
    links::wrong_key_is_unauthorized,
}

scenarios! { every_keyless_scenario:
    keyless::delegation_key_needs_a_token,
    keyless::token_for_something_else_is_refused,
    keyless::token_that_is_none_is_refused,
}

/// The scenarios once more, with a bearer token and delegated links instead of the account's key.
#[test]
fn fake_passes_keyless_on_host_style_addresses() {
    virtual_time::run(Credential::Identity, async |ground| {
        every_scenario(ground).await;
        every_keyless_scenario(ground).await;
    });
}

#[test]
fn server_does_all_of_it_on_sockets() {
    sockets::run(async || {
        let server =
            fake_azure::server::Server::start(fake_azure::server::Options::on_free_ports()).await.unwrap();
        let url = |service| format!("http://{}/devstoreaccount1", server.address(service).unwrap());
        let (blob, queue) = (url(fake_azure::Service::Blob), url(fake_azure::Service::Queue));
        let ground = sockets::ground(ground::Kind::FakeAzure, Credential::SharedKey, &blob, &queue, None);
        every_scenario(&ground).await;
        every_keyed_scenario(&ground).await;
        server.stop().await;
    });
}

#[test]
fn azurite_does_the_same_with_the_account_key() {
    sockets::run(async || {
        let azurite = azurite::Azurite::start(azurite::Scheme::Http);
        let ground = sockets::ground(
            ground::Kind::Azurite,
            Credential::SharedKey,
            &azurite.blob,
            &azurite.queue,
            None,
        );
        every_scenario(&ground).await;
        every_keyed_scenario(&ground).await;
    });
}

#[test]
fn azurite_does_the_same_keyless_over_https() {
    sockets::run(async || {
        let azurite = azurite::Azurite::start(azurite::Scheme::Https);
        let trust = azurite.certificate.clone();
        let ground = sockets::ground(
            ground::Kind::Azurite,
            Credential::Identity,
            &azurite.blob,
            &azurite.queue,
            trust,
        );
        every_scenario(&ground).await;
        every_keyless_scenario(&ground).await;
    });
}
