/** A call that was accepted. The state is empty until it is final. */
final class Call {
    final String id;
    final String number;
    final String token;
    final String destination;
    final boolean immediate;
    volatile String state = "";
    volatile int reads;

    Call(String id, String number, String token, String destination, boolean immediate) {
        this.id = id;
        this.number = number;
        this.token = token;
        this.destination = destination;
        this.immediate = immediate;
    }
}
