import { LivePublisher } from "../../src/bus/live_publisher.ts";
import { busTest, eventually } from "./harness.ts";

const SUBJECT = "live.binance.BTC-USDT.1m";

for (const listened of [false, true]) {
  const name = listened ? ", though somebody else listens to the subject" : "";
  busTest(`LivePublisher has a stream made anew that was deleted${name}`, async ({ bus, streams }) => {
    await streams.ensure("LIVE");
    const live = new LivePublisher(bus, streams);
    if (listened) bus.connection.subscribe("live.>", { callback: () => undefined });
    const isStored = () => {
      live.publish(SUBJECT, Buffer.from("candle"));
      return bus.streams.streams.getMessage("LIVE", { last_by_subj: SUBJECT }).then(
        () => true,
        () => false,
      );
    };
    await eventually("a candle is stored", isStored);
    await bus.streams.streams.delete("LIVE");
    await eventually("a candle is stored again", isStored);
  });
}
