package thalweg.clients;

/** Apache Kafka's Java client against one broker: `Main BOOTSTRAP PREFIX`. Exits with 1 when any check failed. */
public final class Main {
    private Main() {}

    public static void main(String[] args) throws Exception {
        Checks checks = new Checks();
        try (Fixture fixture = new Fixture(args[0], args[1])) {
            new ProducerChecks(fixture, checks).run();
            new ConsumerChecks(fixture, checks).run();
            new GroupChecks(fixture, checks).run();
            new ModernGroupChecks(fixture, checks).run();
            new TopicChecks(fixture, checks).run();
            new ConfigChecks(fixture, checks).run();
            new OffsetChecks(fixture, checks).run();
            new TransactionChecks(fixture, checks).run();
            new ShareChecks(fixture, checks).run();
        }
        System.exit(checks.failed() == 0 ? 0 : 1);
    }
}
