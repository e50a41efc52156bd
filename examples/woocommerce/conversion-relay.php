<?php
/**
 * Plugin Name: Conversion Relay
 * Description: The page's script, and with each order the visit that its payment notice would not know.
 *
 * Into wp-content/mu-plugins/ with it, the three lines below set: docs/guides/woocommerce.md.
 */

defined( 'ABSPATH' ) || exit;

const CONVERSION_RELAY         = 'https://relay.shop.example';
const CONVERSION_RELAY_CONSENT = 'cmplz_marketing'; // the consent banner's cookie, here Complianz's; '': nobody is asked
const CONVERSION_RELAY_WORDS   = array( 'allow' => 'granted', 'deny' => 'denied' ); // its words, and what they say

// Before the pixel's snippet, which plugins print at 1 or later.
add_action( 'wp_head', 'conversion_relay_script', -100 );
function conversion_relay_script() {
	$tag     = '<script src="%1$s/meta-tracking.mirror.min.js" data-endpoint="%1$s/events" data-mirror%2$s></script>';
	$consent = '';
	if ( '' !== CONVERSION_RELAY_CONSENT ) {
		$consent = sprintf(
			' data-consent="required" data-consent-state="document.cookie.includes(%1$s=%2$s)"'
			. ' data-consent-answered="document.cookie.includes(%1$s=)"',
			esc_attr( CONVERSION_RELAY_CONSENT ),
			esc_attr( array_search( 'granted', CONVERSION_RELAY_WORDS, true ) )
		);
	}
	printf( $tag . "\n", esc_url( CONVERSION_RELAY ), $consent );
}

// WooCommerce's notice has the buyer's address, browser and page. Meta's cookies and the answer to the banner it has not.
add_action( 'woocommerce_checkout_order_created', 'conversion_relay_visit' );
add_action( 'woocommerce_store_api_checkout_update_order_meta', 'conversion_relay_visit' ); // the checkout of blocks
add_action( 'woocommerce_before_pay_action', 'conversion_relay_visit' ); // the link to pay: the shop made it, or a card failed
function conversion_relay_visit( $order ) {
	$said    = sanitize_text_field( wp_unslash( $_COOKIE[ CONVERSION_RELAY_CONSENT ] ?? '' ) );
	$consent = CONVERSION_RELAY_WORDS[ $said ] ?? '';
	$kept    = array( 'consent' => $consent );
	if ( '' === CONVERSION_RELAY_CONSENT || 'granted' === $consent ) {
		foreach ( array( '_fbp', '_fbc' ) as $name ) {
			$kept[ $name ] = sanitize_text_field( wp_unslash( $_COOKIE[ $name ] ?? '' ) );
		}
	}
	foreach ( array_filter( $kept ) as $name => $value ) {
		$order->update_meta_data( $name, $value );
	}
	if ( 'denied' === $consent ) { // they may have agreed when the order was made
		$order->delete_meta_data( '_fbp' );
		$order->delete_meta_data( '_fbc' );
	}
	$order->save();
}

// The pixel's copy, under the id of the webhook's. Of an order that is paid later (on delivery, too: it is in work and has no
// date) the webhook tells alone, and nobody of one whose page is opened again: Meta knows a second copy for two days.
add_action( 'woocommerce_thankyou', 'conversion_relay_thanks' );
function conversion_relay_thanks( $id ) {
	$order = wc_get_order( $id );
	$paid  = $order ? $order->get_date_paid() : null;
	if ( ! $paid || ! $order->is_paid() || time() - $paid->getTimestamp() > DAY_IN_SECONDS ) {
		return;
	}
	printf(
		'<script>window.MetaTracking?.trackOnce(%s, "Purchase", %s, { pixelOnly: true });</script>' . "\n",
		wp_json_encode( 'purchase_' . $order->get_id() ),
		wp_json_encode( array( 'value' => (float) $order->get_total(), 'currency' => $order->get_currency() ) )
	);
}
